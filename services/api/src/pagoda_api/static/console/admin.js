/* Names what Django's and django-unfold's scripts make without a name, once they have made it. */
const named = () => {
  document.querySelectorAll("span.help-tooltip[aria-label]").forEach((each) => each.setAttribute("role", "img"));
  document.querySelectorAll("select.select2-hidden-accessible").forEach((select) => {
    const name = select.labels[0]?.textContent.trim() || select.name;
    select.nextElementSibling.querySelectorAll("[role=combobox], [role=textbox]").forEach((each) => {
      each.removeAttribute("aria-labelledby");
      each.setAttribute("aria-label", name);
    });
  });
};
window.addEventListener("load", () => setTimeout(named));
