// Tells the platform that the registration is over (LTI Dynamic Registration 1.0). It holds nothing that is secret,
// and the page of the platform may be on any host, so it goes to whoever is there.
for (const platform of new Set([window.parent, window.opener])) {
  if (platform && platform !== window) {
    platform.postMessage({ subject: "org.imsglobal.lti.close" }, "*");
  }
}
