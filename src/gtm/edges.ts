// Which numbers lead to which: lists of numbers by number, as two arrays.

/** What leads from `n` is `to` from `first[n]` up to `first[n + 1]`. */
export type Edges = { readonly first: Int32Array; readonly to: Int32Array };

/** Says that `to` is led to; what is said twice counts twice. */
export type Lead = (from: number, to: number) => void;

/** `fill` says all of them. */
export function edgesBy(count: number, fill: (lead: Lead) => void): Edges {
  let pairs = new Int32Array(1024);
  let length = 0;
  fill((from, to) => {
    if (length === pairs.length) {
      const larger = new Int32Array(2 * length);
      larger.set(pairs);
      pairs = larger;
    }
    pairs[length++] = from;
    pairs[length++] = to;
  });
  const first = new Int32Array(count + 1);
  for (let at = 0; at < length; at += 2) first[pairs[at]! + 1]!++;
  for (let from = 0; from < count; from++) first[from + 1]! += first[from]!;
  const to = new Int32Array(length / 2);
  const next = first.slice();
  for (let at = 0; at < length; at += 2) to[next[pairs[at]!]!++] = pairs[at + 1]!;
  return { first, to };
}

/**
 * For each number its group: two are in one group when each leads to the other (strongly connected components, by Tarjan's
 * algorithm, without recursion: chains may be long).
 */
export function loopGroups({ first, to }: Edges): Int32Array {
  const count = first.length - 1;
  const group = new Int32Array(count).fill(-1);
  const order = new Int32Array(count).fill(-1);
  const low = new Int32Array(count);
  const next = first.slice(0, count);
  const path: number[] = [];
  const open: number[] = [];
  let [orders, groups] = [0, 0];
  const enter = (node: number): void => {
    order[node] = low[node] = orders++;
    path.push(node);
    open.push(node);
  };
  for (let root = 0; root < count; root++) {
    if (order[root] !== -1) continue;
    enter(root);
    while (path.length > 0) {
      const node = path.at(-1)!;
      if (next[node]! < first[node + 1]!) {
        const target = to[next[node]!++]!;
        if (order[target] === -1) enter(target);
        else if (group[target] === -1) low[node] = Math.min(low[node]!, order[target]!);
        continue;
      }
      path.pop();
      if (path.length > 0) low[path.at(-1)!] = Math.min(low[path.at(-1)!]!, low[node]!);
      if (low[node] !== order[node]) continue;
      let member: number;
      do {
        member = open.pop()!;
        group[member] = groups;
      } while (member !== node);
      groups++;
    }
  }
  return group;
}
