"use strict";

// Draws each figure from the JSON beside it, and sorts tables by their headings.

const CONFIG = {
  responsive: true,
  displaylogo: false,
  // A list of buttons, because the default has one that uploads the chart to Plotly's server.
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
};
const TOUCH = matchMedia("(pointer: coarse)").matches;

async function draw(view) {
  const plot = view.querySelector(".plot");
  if (plot.classList.contains("js-plotly-plot")) return;
  const figure = JSON.parse(view.querySelector("script").textContent);
  if (TOUCH) figure.layout.dragmode = false; // so that a finger on a chart scrolls the page
  await Plotly.newPlot(plot, figure.data, figure.layout, CONFIG);
  // Highlight the line under the pointer with a style: redrawing hundreds of lines is slow.
  const line = (event) => plot.querySelector(`.trace${event.points[0].fullData.uid}`);
  plot.on("plotly_hover", (event) => line(event)?.classList.add("hot"));
  plot.on("plotly_unhover", (event) => line(event)?.classList.remove("hot"));
}

function choose(event) {
  for (const radio of event.currentTarget.querySelectorAll("input")) {
    const view = document.getElementById(radio.value);
    view.hidden = !radio.checked;
    if (radio.checked) draw(view);
  }
}

function sort(event) {
  const heading = event.currentTarget.closest("th");
  const column = heading.cellIndex;
  const number = heading.classList.contains("number");
  const first = heading.dataset.first; // the order that puts the best on top
  const other = first === "ascending" ? "descending" : "ascending";
  const order = heading.getAttribute("aria-sort") === first ? other : first;
  for (const th of heading.parentElement.cells) th.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);

  const sign = order === "ascending" ? 1 : -1;
  const body = heading.closest("table").tBodies[0];
  const value = (row) => row.cells[column].dataset.value;
  const compare = (a, b) =>
    number ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true });
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === ""); // missing values come last
    return sign * compare(x, y);
  });
  body.append(...rows);
}

function showTip(event) {
  const button = event.currentTarget;
  const tip = document.getElementById("tip");
  tip.textContent = button.dataset.tip;
  tip.hidden = false;
  button.setAttribute("aria-describedby", "tip");
  const at = button.getBoundingClientRect();
  const left = Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${at.top - tip.offsetHeight - 8}px`;
}

function hideTip() {
  document.getElementById("tip").hidden = true;
}

for (const view of document.querySelectorAll(".view:not([hidden])")) draw(view);
for (const tabs of document.querySelectorAll(".tabs")) tabs.addEventListener("change", choose);
for (const button of document.querySelectorAll(".sortable button")) {
  button.addEventListener("click", sort);
  button.addEventListener("mouseenter", showTip);
  button.addEventListener("focus", showTip);
  button.addEventListener("mouseleave", hideTip);
  button.addEventListener("blur", hideTip);
}
addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
addEventListener("scroll", hideTip, { passive: true, capture: true });

// On paper, a chart must be as wide as the sheet, not as the screen.
addEventListener("beforeprint", () => {
  for (const plot of document.querySelectorAll(".js-plotly-plot"))
    Plotly.relayout(plot, { width: 660, height: 380, autosize: false });
});
addEventListener("afterprint", () => {
  for (const plot of document.querySelectorAll(".js-plotly-plot"))
    Plotly.relayout(plot, { width: null, height: null, autosize: true });
});
