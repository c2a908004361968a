"use strict";
document.getElementById("post").submit();
