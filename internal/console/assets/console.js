// What the pages need beyond links and forms: the live list, its filters, keys, copying, and the mask.
const $ = (id) => document.getElementById(id);
const rows = $("rows");

function visibleRows() { return rows ? [...rows.rows].filter((row) => !row.hidden) : []; }

function applyFilters(row) {
  const text = $("text").value.trim().toLowerCase();
  row.hidden = ($("client").value && row.dataset.client !== $("client").value) ||
    ($("method").value && row.dataset.method !== $("method").value) ||
    ($("class").value && row.dataset.class !== $("class").value) ||
    (text !== "" && !row.textContent.toLowerCase().includes(text));
}

function addClient(name) {
  const select = $("client");
  if (name && ![...select.options].some((option) => option.value === name)) select.add(new Option(name, name));
}

// showDays shows the day of the times that are not of the same day as the newest, which has just arrived.
function showDays(list) {
  const days = [...list.querySelectorAll("time span")];
  for (const day of days) day.hidden = day.textContent === days[0].textContent;
}

function listen() {
  const held = [];
  let paused = false;
  const add = (html) => {
    const body = document.createElement("tbody");
    body.innerHTML = html; // the server has escaped all data
    const row = body.rows[0];
    if (!row || rows.querySelector(`[data-id="${row.dataset.id}"]`)) return;
    addClient(row.dataset.client);
    applyFilters(row);
    rows.prepend(row);
    showDays(rows);
    while (rows.rows.length > 500) rows.lastElementChild.remove();
    $("empty").hidden = true;
  };
  const source = new EventSource("/console/traffic/live");
  source.onmessage = (event) => (paused ? held.push(event.data) : add(event.data));
  source.addEventListener("counts", (event) => { $("counts").innerHTML = event.data; }); // the server has escaped all data
  $("pause").addEventListener("click", () => {
    paused = !paused;
    $("pause").setAttribute("aria-pressed", paused);
    if (!paused) held.splice(0).forEach(add);
  });
  for (const row of rows.rows) addClient(row.dataset.client);
  for (const id of ["text", "client", "method", "class"]) $(id).addEventListener("input", () => [...rows.rows].forEach(applyFilters));
  $("filters").addEventListener("submit", (event) => event.preventDefault());
}

function move(step) {
  const list = visibleRows();
  const at = list.findIndex((row) => row.classList.contains("current"));
  const next = list[Math.min(Math.max(at + step, 0), list.length - 1)];
  if (!next) return;
  list[at]?.classList.remove("current");
  next.classList.add("current");
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else $("back")?.click();
  } else if (typing) {
    return;
  } else if (event.key === "/" && $("text")) {
    event.preventDefault();
    $("text").focus();
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "Enter") document.querySelector("tr.current a")?.click();
});

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => navigator.clipboard.writeText($(button.dataset.copy).textContent));
}

const mask = $("mask");
mask.checked = localStorage.getItem("mask") === "true";
const setMask = () => document.body.classList.toggle("masked", mask.checked);
mask.addEventListener("change", () => { localStorage.setItem("mask", mask.checked); setMask(); });
setMask();
if (rows) listen();

const live = document.querySelector("[data-live-url]"); // the page of changes
if (live) new EventSource(live.dataset.liveUrl).onmessage = (event) => {
  const body = document.createElement("tbody");
  body.innerHTML = event.data; // the server has escaped all data
  live.prepend(...body.rows);
  showDays(live);
  while (live.rows.length > 500) live.lastElementChild.remove();
  if ($("empty")) $("empty").hidden = true;
};
