// Durations of runs: one bar per run, coloured by status; a click opens the run.

import { loadAsset, onContent, onRemoval } from "./assets.js";

const FIGURE = 'figure[data-chart="durations"]';
const UNITS = [[7200, 3600, "h"], [120, 60, "min"], [0, 1, "s"]];
const FEWEST = 16; // slots, so that the first run is a bar and not a wall
const drawn = new Map();

// Canvas does not read custom properties: an element of the page resolves them.
function colour(figure, value, className = "") {
  const probe = document.createElement("span");
  probe.className = className;
  probe.style.color = value;
  probe.hidden = true;
  figure.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function words(seconds) {
  const whole = Math.round(seconds);
  if (whole < 1) return "under 1 sec";
  const parts = [[Math.floor(whole / 3600), "hr"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "sec"]];
  return parts.filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`).slice(0, 2).join(" ");
}

function tooltip(bars) {
  const tip = document.createElement("div");
  tip.className = "chart-tip";
  tip.hidden = true;
  const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  return {
    hooks: {
      init: (u) => u.over.append(tip),
      setCursor: (u) => {
        const bar = bars[u.cursor.idx ?? -1];
        tip.hidden = !bar || u.cursor.left < 0;
        if (tip.hidden) return;
        const word = document.createElement("span");
        word.className = `status-badge is-plain status-${bar.status}`;
        word.textContent = bar.label;
        const when = document.createElement("small");
        when.textContent = moment.format(new Date(bar.start));
        tip.replaceChildren(word, ` · ${words(bar.seconds)}`, when);
        const x = u.valToPos(u.cursor.idx, "x");
        tip.style.left = `${Math.max(0, Math.min(x - tip.offsetWidth / 2, u.over.clientWidth - tip.offsetWidth))}px`;
        tip.style.top = "0px";
      },
    },
  };
}

function axes(bars, paint, unit) {
  const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
  const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const oneDay = bars.length > 0 && new Date(bars.at(-1).start) - new Date(bars[0].start) < 86400000;
  const font = '11.5px "Inter", system-ui, sans-serif';
  const common = { stroke: paint.muted, font, ticks: { show: false } };
  const splits = (u) => {
    const room = Math.max(2, Math.floor(u.over.clientWidth / 76)); // a label every 76 px at most
    const step = Math.max(1, Math.ceil(Math.max(bars.length, FEWEST) / room));
    return bars.map((_, index) => index).filter((index) => index % step === 0);
  };
  const name = (index) => (bars[index] ? (oneDay ? minute : day).format(new Date(bars[index].start)) : "");
  return [
    { ...common, splits, values: (_, found) => found.map(name), grid: { show: false }, size: 28, gap: 6 },
    { ...common, values: (_, found) => found.map((value) => `${value} ${unit}`), grid: { stroke: paint.grid, width: 1 }, size: 58 },
  ];
}

function options(figure, bars, [, , unit]) {
  const paint = { muted: colour(figure, "var(--muted)"), grid: colour(figure, "var(--border)") };
  const fills = bars.map((bar) => colour(figure, "var(--fill, var(--grey-fill))", `status-${bar.status}`));
  const fill = { unit: 3, values: () => fills };
  return {
    width: figure.clientWidth,
    height: figure.clientHeight,
    legend: { show: false },
    cursor: { y: false, x: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: [-0.6, Math.max(bars.length, FEWEST) - 0.4] },
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] },
    },
    series: [{}, { paths: window.uPlot.paths.bars({ size: [0.72, 36], radius: 0.12, disp: { fill } }), points: { show: false }, fill: paint.muted, stroke: "transparent", width: 0 }],
    axes: axes(bars, paint, unit),
    plugins: [tooltip(bars)],
  };
}

function draw(figure) {
  const bars = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  const most = Math.max(0, ...bars.map((bar) => bar.seconds));
  const unit = UNITS.find(([from]) => most >= from);
  // The shortest run keeps a bar that can be seen and pressed.
  const heights = bars.map((bar) => Math.max(bar.seconds, most * 0.015) / unit[1]);
  const chart = new window.uPlot(options(figure, bars, unit), [bars.map((_, index) => index), heights], figure);
  chart.over.addEventListener("click", (event) => {
    const bar = bars[chart.cursor.idx ?? -1];
    if (!bar) return;
    if (event.ctrlKey || event.metaKey) open(bar.url, "_blank", "noopener");
    else location.assign(bar.url);
  });
  return chart;
}

function redraw(figure) {
  drawn.get(figure)?.chart.destroy();
  drawn.get(figure).chart = draw(figure);
}

onContent(FIGURE, async (figure) => {
  await loadAsset("uplot");
  if (drawn.has(figure) || !figure.isConnected) return;
  const observer = new ResizeObserver(() => {
    drawn.get(figure)?.chart.setSize({ width: figure.clientWidth, height: figure.clientHeight });
  });
  drawn.set(figure, { chart: draw(figure), observer });
  observer.observe(figure);
});
onRemoval(FIGURE, (figure) => {
  drawn.get(figure)?.observer.disconnect();
  drawn.get(figure)?.chart.destroy();
  drawn.delete(figure);
});
document.addEventListener("theme", () => {
  for (const figure of drawn.keys()) redraw(figure);
});
