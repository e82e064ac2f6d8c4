"use strict";
// Draws each chart of a page with the bundled Vega runtime, in one visual language taken from the page's own colours.
(() => {
  const COLOURS = {
    light: ["#6b7280", "#2f4b8f", "#b3541e", "#0b6e57", "#8e3b76", "#84590a", "#2b7a99", "#5b3fa0"],
    dark: ["#9aa1ad", "#9db4f2", "#f0a171", "#5fcaa8", "#dd93c8", "#e4b75c", "#7cc4dd", "#b7a3ef"],
  };
  const DASHES = [[1, 0], [6, 3], [2, 2]];
  const MANY = 4;
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  let printing = false;

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    return {
      ink: colour("--ink"), soft: colour("--soft"), line: colour("--line"),
      arms: scheme.matches && !printing ? COLOURS.dark : COLOURS.light,
      font: getComputedStyle(document.body).fontFamily,
    };
  }

  function config(look) {
    return {
      background: null, font: look.font, view: { stroke: null },
      axis: {
        labelColor: look.soft, titleColor: look.soft, gridColor: look.line, domainColor: look.line, tickColor: look.line,
        labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelPadding: 6,
      },
      axisX: { grid: false, labelFlush: true }, axisY: { domain: false, ticks: false, tickCount: 5 },
      header: { labelColor: look.ink, labelFontSize: 12, title: null },
    };
  }

  const day = (row) => row.slice(0, 10) + "T00:00:00Z";

  function armScale(data, look) {
    return {
      field: "arm", type: "nominal", legend: null,
      scale: { domain: data.arms, range: data.arms.map((_, place) => look.arms[place % look.arms.length]) },
    };
  }

  function dash(data) {
    return {
      field: "arm", type: "nominal", legend: null,
      scale: { domain: data.arms, range: data.arms.map((_, place) => DASHES[Math.floor(place / 8) % DASHES.length]) },
    };
  }

  const time = (extra) => ({
    field: "day", type: "temporal", title: null, scale: { type: "utc" },
    axis: { format: "%-d %b", tickCount: 6, labelOverlap: true }, ...extra,
  });

  function exposures(data, look) {
    const values = data.points.map(([at, arm, total, added]) => ({ day: day(at), arm: data.arms[arm], total, added }));
    return {
      data: { values },
      mark: { type: "line", strokeWidth: 2, point: values.length <= data.arms.length * 2 },
      encoding: {
        x: time(), y: { field: "total", type: "quantitative", title: null, axis: { format: "~s" } },
        color: armScale(data, look), strokeDash: dash(data),
        tooltip: [
          { field: "day", type: "temporal", format: "%-d %b %Y", title: "Day" }, { field: "arm", title: "Arm" },
          { field: "total", format: ",", title: "Units" }, { field: "added", format: ",", title: "New" },
        ],
      },
    };
  }

  // The axis holds zero and what the later two thirds of the days say; the first days' wide intervals are cut.
  function domainOf(values) {
    const late = values.slice(Math.floor(values.length / 3));
    const ends = late.flatMap((v) => [v.olow, v.ohigh, v.low, v.high, v.lift, 0]).filter(Number.isFinite);
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const room = (high - low || 1) * 0.12;
    return [low - room, high + room];
  }

  // An end that does not exist is null; a format would print it as 0.
  const said = (share) => (low, high) => [low, high].map((end) => (end === null ? "open" : (end < 0 ? "−" : "+")
    + (share ? Math.abs(100 * end).toFixed(2) + "%" : Number(Math.abs(end).toPrecision(4))))).join(" to ");

  function lift(data, look, width) {
    const between = said(data.share);
    const values = data.points.map(([at, arm, value, low, high, olow, ohigh]) => ({
      day: day(at), arm: data.arms[arm], lift: value, low, high, olow, ohigh, interval: between(low, high),
      every: olow === null && ohigh === null ? "none yet" : between(olow, ohigh),
    }));
    const domain = domainOf(values);
    const format = data.share ? "+.2%" : "+.4~g";
    const y = (field, extra) => ({
      field, type: "quantitative", title: null, axis: { labelExpr: data.share ? "datum.value === 0 ? '0%' : format(datum.value, '+~%')" : "format(datum.value, '+~g')" },
      scale: { domain, nice: false }, ...extra,
    });
    const color = armScale(data, look);
    const shown = new Set(values.map((v) => v.arm)).size;
    const many = shown > MANY;
    const layer = [
      ...(data.sequential ? [{
        mark: { type: "area", opacity: 0.13, clip: true },
        encoding: { y: y("olow"), y2: { field: "ohigh" } },
      }] : []),
      { mark: { type: "area", opacity: 0.24, clip: true }, encoding: { y: y("low"), y2: { field: "high" } } },
      {
        mark: { type: "line", strokeWidth: 2, clip: true, point: { size: 22, filled: true } },
        encoding: {
          y: y("lift"),
          tooltip: [
            { field: "day", type: "temporal", format: "%-d %b %Y", title: "Cut-off" }, { field: "arm", title: "Arm" },
            { field: "lift", format, title: "Lift" },
            { field: "interval", title: "Interval" },
            ...(data.sequential ? [{ field: "every", title: "Every look" }] : []),
          ],
        },
      },
      { mark: { type: "rule", color: look.soft, strokeWidth: 1 }, encoding: { x: null, color: { value: look.soft }, y: { datum: 0 } } },
    ];
    if (!many) return { data: { values }, encoding: { x: time(), color }, layer };
    const columns = Math.max(1, Math.min(3, Math.floor(width / 220)));
    return {
      data: { values }, columns, spacing: 22,
      facet: { field: "arm", type: "nominal", sort: data.arms, title: null, header: { labelLimit: 200 } },
      spec: { width: Math.floor(width / columns) - 62, height: 110, encoding: { x: time({ axis: { format: "%-d %b", tickCount: 3 } }), color }, layer },
    };
  }

  function power(data, look) {
    const values = data.points.map(([effect, line, chance]) => ({ effect, arm: data.arms[line], chance }));
    const y = { field: "chance", type: "quantitative", title: null, axis: { format: ".0%" }, scale: { domain: [0, 1] } };
    const x = { field: "effect", type: "quantitative", title: null, axis: { format: ".2~p", tickCount: 6 } };
    return {
      data: { values },
      layer: [
        {
          mark: { type: "line", strokeWidth: 2, clip: true },
          encoding: {
            x, y, color: armScale(data, look), strokeDash: dash(data),
            tooltip: [
              { field: "arm", type: "nominal", title: "Length" }, { field: "effect", format: ".2~p", title: "True effect" },
              { field: "chance", format: ".0%", title: "Power" },
            ],
          },
        },
        { mark: { type: "rule", color: look.soft, strokeDash: [3, 3] }, encoding: { y: { datum: data.goal } } },
      ],
    };
  }

  const KINDS = { exposures, lift, power };

  function legend(plot, data, look) {
    let list = plot.parentElement.querySelector(".legend");
    if (!list) {
      list = document.createElement("ul");
      list.className = "legend";
      plot.before(list);
    }
    list.replaceChildren();
    const used = new Set(data.points.map((point) => point[1]));
    if (data.kind === "lift" && used.size > MANY) return;
    data.arms.forEach((arm, place) => {
      if (!used.has(place)) return;
      const item = document.createElement("li");
      const mark = document.createElement("i");
      mark.style.background = look.arms[place % look.arms.length];
      item.append(mark, arm);
      list.append(item);
    });
  }

  function draw(plot) {
    const data = JSON.parse(document.getElementById("data-" + plot.dataset.chart).textContent);
    const look = theme();
    const width = plot.clientWidth;
    const spec = KINDS[data.kind](data, look, width);
    const sized = spec.facet ? spec : { width: "container", height: 260, autosize: { type: "fit", contains: "padding" }, ...spec };
    legend(plot, data, look);
    // The plot says in words what it is; what the runtime draws inside is a picture to a screen reader.
    const canvas = document.createElement("div");
    canvas.className = "canvas";
    canvas.ariaHidden = "true";
    plot.replaceChildren(canvas);
    return window.vegaEmbed(canvas, { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...sized }, {
      actions: false, renderer: "svg", ast: true, defaultStyle: false, config: config(look), tooltip: { theme: scheme.matches ? "dark" : "light" },
    }).then(() => { plot.dataset.drawn = String(width); });
  }

  const plots = Array.from(document.querySelectorAll(".plot[data-chart]"));
  const redraw = () => plots.filter((plot) => plot.dataset.drawn).forEach(draw);
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "600px" });
  plots.forEach((plot) => seen.observe(plot));
  scheme.addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => { printing = true; plots.forEach(draw); });
  window.addEventListener("afterprint", () => { printing = false; redraw(); });
  let pending = 0;
  window.addEventListener("resize", () => {
    clearTimeout(pending);
    pending = setTimeout(() => plots.filter((plot) => plot.dataset.drawn && plot.dataset.drawn !== String(plot.clientWidth)).forEach(draw), 150);
  });
})();
