// Goes on at once, and leaves no page behind that the way back would lead to.
location.replace(document.querySelector("a[data-onward]").href);
