// Sorts and filters tables, shows further rows of data.js, and chooses charts. Texts are only ever set as text.
"use strict";
(() => {
  const PAGE = 100;
  const SVG = "http://www.w3.org/2000/svg";
  // Of each table its id and its further rows as JSON. The file may be large, so it is read when a row of it is needed.
  let reading;
  const read = () => (reading ??= new Promise((resolve, reject) => {
    if (window.tlbenchTables) {
      resolve();
      return;
    }
    const script = document.createElement("script");
    script.src = "data.js";
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("data.js cannot be read")));
    document.head.append(script);
  }).then(() => new Map(window.tlbenchTables)));

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // What `report_tables.DataTable.data` writes for a row, as what the template writes.
  function rowOf([href, flags, span, texts, , note], heads) {
    const row = element("tr", [flags & 1 ? "best" : "", flags & 2 ? "baseline" : ""].join(" ").trim());
    texts.forEach((text, i) => {
      const head = heads[i];
      const isName = head.hasAttribute("data-strategy");
      const level = [...head.classList].find((name) => /^l\d$/.test(name));
      const kind = head.classList.contains("name") ? "name" : "number";
      const made = element(isName ? "th" : "td", `${kind} ${level}${head.hasAttribute("data-score") ? " score" : ""}`);
      if (isName) {
        made.scope = "row";
        const name = element(href ? "a" : "span", "", text);
        if (href) name.href = href;
        made.append(name, ...(note ? [" ", element("span", "note", note)] : []));
      } else {
        if (head.hasAttribute("data-interval") && span) {
          made.classList.add("interval");
          made.append(forest(span));
        }
        made.append(element("span", "", text));
      }
      row.append(made);
    });
    return row;
  }

  function forest([low, value, high]) {
    const svg = document.createElementNS(SVG, "svg");
    const attributes = { class: "forest", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" };
    for (const [name, text] of Object.entries(attributes)) svg.setAttribute(name, text);
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", `M${low} 5H${high}`);
    const mark = document.createElementNS(SVG, "rect");
    for (const [name, at] of Object.entries({ x: Math.max(value - 1, 0), y: 1, width: 2, height: 8 })) {
      mark.setAttribute(name, at);
    }
    svg.append(line, mark);
    return svg;
  }

  class SortedTable {
    constructor(table) {
      this.table = table;
      this.body = table.tBodies[0];
      this.heads = [...table.tHead.rows[0].cells];
      this.names = this.heads.flatMap((head, i) => (head.classList.contains("name") ? [i] : []));
      this.rows = [...this.body.rows].map((row, place) => ({
        place,
        row,
        best: row.classList.contains("best"),
        text: this.names.map((i) => row.cells[i].textContent).join(" ").toLowerCase(),
        keys: [...row.cells].map((cell, i) => keyOf(cell.dataset.v ?? cell.textContent, this.names.includes(i))),
      }));
      this.further = Number(table.dataset.further ?? 0);
      this.total = this.rows.length + this.further;
      this.shown = this.rows.length;
      this.matching = this.rows;
      this.heads.forEach((head, column) => {
        const button = element("button", "", head.textContent);
        button.type = "button";
        head.replaceChildren(button);
        button.addEventListener("click", () => this.sort(column));
      });
      this.more = document.querySelector(`[data-more="${table.id}"]`);
      if (!this.more) return;
      this.more.hidden = !this.further;
      this.more.querySelector("button").addEventListener("click", async () => {
        await this.load();
        this.shown += PAGE;
        this.draw();
      });
    }

    load() {
      return (this.loading ??= this.further ? read().then((data) => this.add(data)) : Promise.resolve());
    }

    add(data) {
      for (const values of JSON.parse(data.get(this.table.id)).rows) {
        this.rows.push({
          place: this.rows.length,
          values,
          best: (values[1] & 1) === 1,
          text: this.names.map((i) => values[3][i]).join(" ").toLowerCase(),
          keys: values[4],
        });
      }
    }

    async sort(column) {
      const head = this.heads[column];
      const before = head.getAttribute("aria-sort");
      const first = head.hasAttribute("data-falls") ? "descending" : "ascending";
      const order = before === null ? first : before === "ascending" ? "descending" : "ascending";
      for (const other of this.heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      await this.load();
      this.rows.sort((a, b) => compare(a.keys[column], b.keys[column], sign) || a.place - b.place);
      await this.filter(this.keep ?? (() => true));
    }

    async filter(keep) {
      this.keep = keep;
      await this.load();
      this.shown = PAGE;
      // Another filter may have come while the rows were read.
      this.matching = this.rows.filter(this.keep);
      this.draw();
    }

    draw() {
      const rows = this.matching.slice(0, this.shown).map((one) => (one.row ??= rowOf(one.values, this.heads)));
      this.body.replaceChildren(...rows);
      if (this.more) this.more.hidden = this.matching.length <= this.shown;
    }
  }

  const keyOf = (text, isName) => (text === "" ? null : isName || Number.isNaN(Number(text)) ? text : Number(text));

  // Missing values come last in both directions.
  function compare(a, b, sign) {
    const [left, right] = [a ?? null, b ?? null];
    if (left === null || right === null) return (left === null) - (right === null);
    if (typeof left === "number" && typeof right === "number") return sign * (left - right);
    return sign * String(left).localeCompare(String(right), "en", { numeric: true });
  }

  const tables = [...document.querySelectorAll("table[data-sortable]")].map((table) => new SortedTable(table));

  const controls = document.querySelector(".controls");
  if (controls) {
    controls.hidden = false;
    const filtered = tables.filter((one) => one.table.hasAttribute("data-filtered"));
    const { filter, first, all } = controls.elements;
    const count = controls.querySelector(".count");
    const total = filtered.reduce((sum, one) => sum + one.total, 0);
    const apply = async () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const keep = (row) => (!first.checked || row.best) && words.every((word) => row.text.includes(word));
      await Promise.all(filtered.map((one) => one.filter(keep)));
      const found = filtered.reduce((sum, one) => sum + one.matching.length, 0);
      count.textContent = found < total ? `${found.toLocaleString("en")} of ${total.toLocaleString("en")} rows` : "";
    };
    filter.addEventListener("input", apply);
    first.addEventListener("change", apply);
    all.addEventListener("change", () => {
      for (const one of tables) one.table.classList.toggle("compact", !all.checked);
    });
    controls.addEventListener("submit", (event) => event.preventDefault());
    // Browsers keep what was typed when a page is loaded again.
    if (filter.value || first.checked) apply();
    if (all.checked) all.dispatchEvent(new Event("change"));
  }

  for (const figure of document.querySelectorAll(".plots")) {
    const choice = figure.querySelector(".choice");
    const select = choice.querySelector("select");
    const plots = figure.querySelectorAll(".plot");
    const choose = () => plots.forEach((plot, i) => { plot.hidden = i !== select.selectedIndex; });
    choice.hidden = plots.length < 2;
    select.addEventListener("change", choose);
    choose();
  }

  const facts = document.getElementById("row-facts");
  if (facts) {
    const show = async () => {
      const address = `row.html${location.hash}`;
      for (const text of (await read()).values()) {
        if (!text.includes(address)) continue;
        const table = JSON.parse(text);
        const values = table.rows.find(([href]) => href === address);
        if (!values) continue;
        document.getElementById("row-task").textContent = table.caption;
        const id = decodeURIComponent(location.hash.slice(1));
        document.getElementById("row-command").replaceChildren("Its record: ", element("code", "", `tlbench show ${id}`));
        const pairs = table.columns.map((heading, i) => {
          const pair = element("div");
          pair.append(element("dt", "", heading), element("dd", "", values[3][i]));
          return pair;
        });
        facts.replaceChildren(...pairs);
        document.getElementById("row-title").textContent = values[3].slice(1, 3).join(" ");
      }
    };
    addEventListener("hashchange", show);
    show();
  }
})();
