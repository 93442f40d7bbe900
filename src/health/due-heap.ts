// What is due when: a binary heap, in which everything knows its place.

export type Due = {
  /** `Clock.now` at which it is due. */
  wakeAt: number;
  /** Where it stands in the heap; negative: nowhere. */
  heapAt: number;
};

export class DueHeap<T extends Due> {
  readonly #items: T[] = [];

  get first(): T | undefined {
    return this.#items[0];
  }

  /** In no order. */
  get all(): readonly T[] {
    return this.#items;
  }

  /** Puts it in, or moves it. */
  set(item: T, wakeAt: number): void {
    if (item.heapAt < 0) {
      item.heapAt = this.#items.length;
      this.#items.push(item);
    } else if (item.wakeAt === wakeAt) return;
    item.wakeAt = wakeAt;
    this.#down(this.#up(item));
  }

  remove(item: T): void {
    const at = item.heapAt;
    if (at < 0) return;
    item.heapAt = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    last.heapAt = at;
    this.#items[at] = last;
    this.#down(this.#up(last));
  }

  #up(item: T): T {
    const items = this.#items;
    let at = item.heapAt;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = items[above]!;
      if (parent.wakeAt <= item.wakeAt) break;
      items[at] = parent;
      parent.heapAt = at;
      at = above;
    }
    items[at] = item;
    item.heapAt = at;
    return item;
  }

  #down(item: T): void {
    const items = this.#items;
    let at = item.heapAt;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && items[below + 1]!.wakeAt < items[below]!.wakeAt) below++;
      const child = items[below]!;
      if (child.wakeAt >= item.wakeAt) break;
      items[at] = child;
      child.heapAt = at;
      at = below;
    }
    items[at] = item;
    item.heapAt = at;
  }
}
