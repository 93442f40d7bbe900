// Remembers what has been logged, so that a peer that says the same odd thing all day is mentioned once; bounded, whatever it thinks of.

const MOST_OF_ONE = 32;
const MOST_SPEAKERS = 1024;

export class SaidOnce {
  readonly #said = new Map<string, Set<string>>();

  /** Whether it is the first time; never again once a speaker has had so many of its own. */
  isNew(speaker: string, what: string): boolean {
    let those = this.#said.get(speaker);
    if (those === undefined) {
      if (this.#said.size >= MOST_SPEAKERS) return false;
      this.#said.set(speaker, (those = new Set()));
    }
    if (those.has(what) || those.size >= MOST_OF_ONE) return false;
    those.add(what);
    return true;
  }
}
