// Searches and sorts the tables of a notebook; without script the whole table stands there.
for (const box of document.querySelectorAll(".satisfaction-table:not([data-ready])")) {
  box.dataset.ready = "yes";
  const body = box.querySelector("tbody");
  const rows = [...body.rows];
  const tools = box.querySelector(".tools");
  const key = (row, at) => row.cells[at].dataset.key ?? row.cells[at].textContent;
  if (tools) {
    tools.hidden = false;
    tools.querySelector("input").addEventListener("input", event => {
      const wanted = event.target.value.toLowerCase().split(/\s+/);
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !wanted.every(word => text.includes(word));
      }
      tools.querySelector(".count").textContent = rows.filter(row => !row.hidden).length;
    });
  }
  const heads = [...box.querySelectorAll("th")];
  heads.forEach((head, at) => {
    const sort = () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const numeric = rows.some(row => row.cells[at].hasAttribute("data-key"));
      const sorted = [...rows].sort((one, other) => {
        const [a, b] = [key(one, at), key(other, at)];
        if (!a || !b) return !a - !b;
        const order = numeric ? a - b : a.localeCompare(b, "zh");
        return up ? order : -order;
      });
      body.append(...sorted);
    };
    head.tabIndex = 0;
    head.addEventListener("click", sort);
    head.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
    });
  });
}
