// The language a reader chose is remembered. A page that stands for both goes to it, but once: whoever comes back stays.
try {
  const link = document.querySelector(".across a");
  const key = "satisfaction-language";
  const followed = "satisfaction-followed " + location.pathname;
  link.addEventListener("click", () => localStorage.setItem(key, link.lang));
  if ("follows" in link.dataset && localStorage.getItem(key) === link.lang && !sessionStorage.getItem(followed)) {
    sessionStorage.setItem(followed, "yes");
    location.replace(link.href);
  }
} catch (refused) { /* a browser that keeps nothing: the link still works */ }
