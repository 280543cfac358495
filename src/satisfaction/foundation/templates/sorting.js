// Sort a table by a heading: buttons inside the headings, aria-sort for screen readers; without script the table stays as it is.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const first = [...body.rows];
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    while (head.firstChild) button.append(head.firstChild);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const text = (row) => (row.cells[at] ? row.cells[at].dataset.sort || row.cells[at].textContent.trim() : "");
      const number = (one) => { const found = one.replace(/,/g, "").match(/-?\d+(\.\d+)?/); return found ? parseFloat(found[0]) : null; };
      const numeric = head.classList.contains("number");
      const rows = [...first].sort((a, b) => {
        const [x, y] = up ? [text(a), text(b)] : [text(b), text(a)];
        if (!numeric) return x.localeCompare(y, "zh");
        const [m, n] = [number(x), number(y)];
        if (m === null || n === null) return (m === null) - (n === null);
        return m - n;
      });
      body.append(...rows);
    });
  });
}
