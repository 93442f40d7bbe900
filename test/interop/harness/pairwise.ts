// Sets of combinations in which every two values of different factors meet.

/** What a combination says of each factor. */
type Combination = Readonly<Record<string, string | number>>;

/**
 * Some of the combinations, chosen so that any two values that meet in one of them meet in a chosen one: greedily, each time the
 * one with the most pairs that have not met, the first of several. The same every time.
 */
export function pairwise<T extends Combination>(all: readonly T[]): T[] {
  const pairsOf = new Map(all.map((one) => [one, pairs(one)] as const));
  const open = new Set([...pairsOf.values()].flat());
  const chosen: T[] = [];
  while (open.size > 0) {
    let best = all[0]!;
    let most = 0;
    for (const [one, own] of pairsOf) {
      const count = own.filter((pair) => open.has(pair)).length;
      if (count > most) [best, most] = [one, count];
    }
    chosen.push(best);
    for (const pair of pairsOf.get(best)!) open.delete(pair);
  }
  return chosen;
}

function pairs(one: Combination): string[] {
  const values = Object.entries(one).map(([factor, value]) => `${factor} ${value}`);
  return values.flatMap((value, index) => values.slice(index + 1).map((other) => `${value}, ${other}`));
}
