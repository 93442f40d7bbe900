// What may come next at the cursor of a command: offers in groups, as the shell shows them.

import { compareNames } from '../config/configuration.ts';
import { quote } from '../config/scanner.ts';

export type Offer = {
  /** What is typed. */
  readonly text: string;
  /** One line. */
  readonly help: string;
  readonly mark?: OfferMark | undefined;
};

/** `required`: the object cannot do without it; `given`: it stands in the command already. */
export type OfferMark = 'required' | 'given';

export type OfferGroup = {
  /** `Properties`, `Components`, … */
  readonly title: string;
  readonly offers: Offer[];
  /** How many there are beyond those that are listed. */
  readonly more: number;
};

export type Completion = {
  /** Characters before the cursor that an offer replaces. */
  readonly replaces: number;
  readonly groups: OfferGroup[];
  /**
   * What the words start with that Tab chooses from, also those that are not listed: not those that are given already, and
   * braces only where there is nothing else. Empty where there is none.
   */
  readonly common: string;
  /** How many words that are. */
  readonly count: number;
  /** Values that cannot be listed: what may be written, and what it means. */
  readonly values: { readonly expects: string; readonly help: string }[];
  /** The word is the name of a file: whoever asks knows which ones there are. */
  readonly isFile?: true | undefined;
  /** Why nothing may follow here: the text before the cursor is wrong. */
  readonly problem?: string | undefined;
};

/** Offers of a group that are sent; the rest is counted. */
export const LISTED_OFFERS = 200;

/** The group of braces. */
export const DELIMITERS = 'Delimiters';

type Group = { offers: Offer[]; more: number; isSorted: boolean };

/** Collects what may stand at the cursor; what does not go on from the word before it is left out. */
export class OfferCollector {
  /** What is typed of the word at the cursor. */
  readonly prefix: string;
  readonly #groups = new Map<string, Group>();
  readonly #values: { expects: string; help: string }[] = [];
  readonly #words = new CommonStart();
  readonly #delimiters = new CommonStart();
  #isFile = false;
  #problem: string | undefined;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** One word. */
  add(title: string, text: string, help: string, mark?: OfferMark): void {
    if (!text.startsWith(this.prefix)) return;
    const group = this.#group(title, false);
    if (group.offers.some((offer) => offer.text === text)) return;
    group.offers.push(mark === undefined ? { text, help } : { text, help, mark });
    if (title === DELIMITERS) this.#delimiters.note(text);
    else if (mark !== 'given') this.#words.note(text);
  }

  /** Names, of which there may be many: the first are listed, sorted. */
  addNames(title: string, names: Iterable<string>, help: (name: string) => string): void {
    const group = this.#group(title, true);
    for (const name of names) {
      if (!name.startsWith(this.prefix)) continue;
      if (group.offers.length < LISTED_OFFERS) group.offers.push({ text: quote(name), help: help(name) });
      else group.more++;
      this.#words.note(quote(name));
    }
  }

  /** Names that the caller has chosen by the prefix, and the two between which all of them lie. */
  addChosen(title: string, names: readonly string[], count: number, first: string, last: string): void {
    const group = this.#group(title, true);
    for (const name of names) group.offers.push({ text: name, help: '' });
    group.more += count - names.length;
    if (count === 0) return;
    this.#words.note(first);
    this.#words.note(last);
    this.#words.count += count - 2;
  }

  addValue(expects: string, help: string): void {
    this.#values.push({ expects, help });
  }

  /** A file, of which the client knows the names (src/cli/shell/file-names.ts). */
  addFile(expects: string, help: string): void {
    this.#isFile = true;
    this.addValue(expects, help);
  }

  /** The command is wrong before the cursor; the first problem stands. */
  refuse(problem: string): void {
    this.#problem ??= problem;
  }

  finish(replaces: number): Completion {
    const groups: OfferGroup[] = [];
    for (const [title, { offers, more, isSorted }] of this.#groups) {
      if (isSorted) offers.sort((a, b) => compareNames(a.text, b.text));
      if (offers.length > 0) groups.push({ title, offers, more });
    }
    const problem = this.#problem === undefined ? {} : { problem: this.#problem };
    const { text: common, count } = this.#words.count > 0 ? this.#words : this.#delimiters;
    const file = this.#isFile ? ({ isFile: true } as const) : {};
    return { replaces, groups, common, count, values: this.#values, ...file, ...problem };
  }

  #group(title: string, isSorted: boolean): Group {
    let group = this.#groups.get(title);
    if (group === undefined) this.#groups.set(title, (group = { offers: [], more: 0, isSorted }));
    return group;
  }
}

/** What texts have in common at their start. */
class CommonStart {
  count = 0;
  text = '';

  note(text: string): void {
    this.text = this.count === 0 ? text : commonStart(this.text, text);
    this.count++;
  }
}

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}
