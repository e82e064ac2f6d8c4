"use strict";
// The arithmetic of `fairsplit plan`, for the planner and for the form of a new experiment: quantiles and factors come
// with the page.
window.fairsplitDesign = (data) => {
  const { grid, longest } = data;

  // Numbers as the command takes them: 10%, .1 or 0.1.
  function share(text) {
    const written = text.trim();
    const digits = written.replace(/%$/, "");
    return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(digits) ? Number(digits) / (written.endsWith("%") ? 100 : 1) : NaN;
  }

  const change = (a) => (a.effect < 0 ? -1 : 1) * (Math.abs(a.effect) * Math.abs(a.baseline));

  function wrong(a) {
    if (!Number.isFinite(a.baseline)) return "Value now: a number such as 10%, .1 or 12.5.";
    if (a.sd === null && !(a.baseline > 0 && a.baseline < 1)) return "Value now: a rate lies between 0 and 1; of a mean give its standard deviation.";
    if (a.sd !== null && !(a.sd > 0)) return "Standard deviation: above 0, or empty for a rate.";
    if (!Number.isFinite(a.effect) || a.effect === 0) return "Effect: such as 5%, or -5% for a fall; not 0.";
    if (a.baseline === 0) return "Value now: of a value of 0 there is no relative effect.";
    const goal = a.baseline + change(a);
    if (a.sd === null && !(goal > 0 && goal < 1)) return "Effect: no rate can change by so much.";
    if (!(Math.abs(a.correlation) < 1)) return "CUPED correlation: between 0 and 1.";
    if (a.daily !== null && !(a.daily >= 0)) return "New units a day: a number of 0 or more.";
    if (!(a.window >= 0)) return "Window: days, 0 or more.";
    return "";
  }

  // `alpha`, `power` and `method` are places in the grid, `arms` those besides the control.
  function design(a) {
    const alphas = grid.alphas.length;
    const powers = grid.powers.length;
    const reachAlpha = grid.reach_alpha[a.arms - 1][a.alpha];
    const reachPower = grid.reach_power[a.power];
    const [last, expected] = grid.factors[((a.method * grid.reach_alpha.length + a.arms - 1) * alphas + a.alpha) * powers + a.power];
    const difference = change(a);
    const goal = a.baseline + difference;
    const left = 1 - a.correlation * a.correlation;
    let fixed;
    if (a.sd === null && a.correlation === 0) {
      const pooled = (a.baseline + goal) / 2;
      const reach = reachAlpha * Math.sqrt(pooled * (1 - pooled) * 2)
        + reachPower * Math.sqrt(a.baseline * (1 - a.baseline) + goal * (1 - goal));
      fixed = (Math.max(reach, 0) / (a.baseline - goal)) ** 2;
    } else {
      const [before, after] = a.sd === null ? [a.baseline * (1 - a.baseline), goal * (1 - goal)] : [a.sd ** 2, a.sd ** 2];
      fixed = (Math.max(reachPower + reachAlpha, 0) / Math.abs(difference)) ** 2 * (before * left + after * left);
    }
    const arms = 1 + a.arms;
    const control = Math.ceil(fixed * last);
    const total = control * arms;
    return { control, arm: control, total, expected: Math.ceil(fixed * expected * arms), days: days(a, total) };
  }

  // As the command counts: a steady intake day by day, and the window of the last units.
  function days(a, total) {
    if (a.daily === null) return null;
    let arrived = 0;
    for (let day = 1; day <= longest; day += 1) {
      arrived += a.daily;
      if (arrived >= total) return day + Math.ceil(a.window);
    }
    return null;
  }

  return { share, wrong, design };
};
