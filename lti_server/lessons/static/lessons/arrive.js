// Runs before anything else on the page: says that scripts run, and takes the single-use ticket out of the address, and so out of history,
// bookmarks and what a pupil might copy. "from=course" stays, so that a reload can say what to do.
(function () {
  "use strict";
  document.documentElement.classList.add("scripted");
  var here = new URL(window.location.href);
  if (here.searchParams.has("ticket")) {
    here.searchParams.delete("ticket");
    here.searchParams.set("from", "course");
    window.history.replaceState(null, "", here);
  }
})();
