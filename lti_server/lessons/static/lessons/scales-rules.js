// What a row of weighings proves. A weighing is [heavier, lighter].

/** Whether the weighings show, directly or by way of others, that `heavy` is heavier than `light`. */
export function shows(weighings, heavy, light) {
  const seen = new Set([heavy]);
  const next = [heavy];
  while (next.length > 0) {
    const one = next.pop();
    for (const [above, below] of weighings) {
      if (above !== one || seen.has(below)) continue;
      if (below === light) return true;
      seen.add(below);
      next.push(below);
    }
  }
  return false;
}

/** The pairs [heavier, lighter] that an answer claims: the heaviest over all others, or an order's neighbours. */
export const claims = (task, answer, names) =>
  task === "heaviest"
    ? names.filter((name) => name !== answer[0]).map((name) => [answer[0], name])
    : answer.slice(1).map((name, index) => [name, answer[index]]);

/** Claims sorted by what is known of them: proven, contradicted, open. */
export function judge(weighings, claimed) {
  const proven = claimed.filter(([heavy, light]) => shows(weighings, heavy, light));
  const wrong = claimed.filter(([heavy, light]) => shows(weighings, light, heavy));
  const open = claimed.filter((pair) => !proven.includes(pair) && !wrong.includes(pair));
  return { proven, wrong, open };
}

/** The names in a random order: the first is the lightest. */
export function shuffled(names) {
  const order = [...names];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = crypto.getRandomValues(new Uint32Array(1))[0] % (last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
