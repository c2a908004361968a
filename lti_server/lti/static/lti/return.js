// Posts the answer to the LMS at once; the button stands there for whoever has no scripts.
document.querySelector("form[data-return]")?.submit();
