// The text of a pattern to the automaton that finds it: POSIX extended regular expressions (POSIX.1-2017, XBD 9.4) over octets,
// and what people write beside them: (?:…), \d, \w, \s, lazy quantifiers, and F5's escapes (\r, \n, \xHH, \NNN).
//
// Nothing in it needs backtracking: no back-references, no look-around. A character beyond ASCII is its octets in UTF-8.

/** Of nodes: how one is left. `set`: by an octet in it. `start`, `end`: by nothing, where the text begins or ends. */
export type PatternNode =
  | { readonly kind: 'set'; readonly octets: Uint8Array; next: number }
  | { readonly kind: 'fork'; readonly to: number[] }
  | { readonly kind: 'start' | 'end'; next: number }
  | { readonly kind: 'found' };

export type PatternAutomaton = { readonly nodes: readonly PatternNode[]; readonly first: number };

/** A pattern that cannot be understood, and why. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

/** Characters of the longest pattern. */
export const MAX_PATTERN = 5120;
/** Nodes of an automaton, at most: what bounds the time that an octet takes. */
const MAX_NODES = 8000;
const MAX_STEPS = 10 * MAX_NODES;
/** As POSIX's RE_DUP_MAX. */
const MAX_REPEATS = 255;
const MAX_DEPTH = 100;

type Tree =
  | { readonly kind: 'empty' | 'start' | 'end' }
  | { readonly kind: 'set'; readonly octets: Uint8Array }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Tree[] }
  | { readonly kind: 'repeat'; readonly part: Tree; readonly least: number; readonly most: number };

const CLASSES: Record<string, (octet: number) => boolean> = {
  alpha: (octet) => isUpper(octet) || isLower(octet),
  digit: isDigit,
  alnum: (octet) => isUpper(octet) || isLower(octet) || isDigit(octet),
  upper: isUpper,
  lower: isLower,
  space: isSpace,
  blank: (octet) => octet === 32 || octet === 9,
  punct: (octet) => octet > 32 && octet < 127 && !isUpper(octet) && !isLower(octet) && !isDigit(octet),
  print: (octet) => octet >= 32 && octet < 127,
  graph: (octet) => octet > 32 && octet < 127,
  cntrl: (octet) => octet < 32 || octet === 127,
  xdigit: (octet) => isDigit(octet) || (octet >= 65 && octet <= 70) || (octet >= 97 && octet <= 102),
};
const isWord = (octet: number): boolean => isUpper(octet) || isLower(octet) || isDigit(octet) || octet === 95;

/** What stands for one octet behind a backslash. */
export const OCTET_ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, e: 27, f: 12, n: 10, r: 13, t: 9, v: 11 };

const utf8 = new TextEncoder();

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Tree {
    const tree = this.#choice();
    if (this.#at < this.#text.length) throw new PatternError('a ) has no (');
    return tree;
  }

  #choice(): Tree {
    if (++this.#depth > MAX_DEPTH) throw new PatternError(`more than ${MAX_DEPTH} parentheses in each other`);
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    this.#depth--;
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  #sequence(): Tree {
    const parts: Tree[] = [];
    while (this.#at < this.#text.length && !this.#sees('|') && !(this.#sees(')') && this.#depth > 1)) {
      const part = this.#atom(parts.length === 0);
      const limits = this.#quantifier();
      parts.push(limits === undefined ? part : { kind: 'repeat', part, ...limits });
    }
    return parts.length === 1 ? parts[0]! : parts.length === 0 ? { kind: 'empty' } : { kind: 'sequence', parts };
  }

  #atom(isFirst: boolean): Tree {
    const character = this.#next();
    switch (character) {
      case '^':
        return { kind: 'start' };
      case '$':
        return { kind: 'end' };
      case '.':
        return setOf(() => true);
      case '[':
        return this.#bracket();
      case '\\':
        return this.#escape();
      case '(': {
        if (this.#text.startsWith('?', this.#at)) {
          if (!this.#text.startsWith('?:', this.#at)) throw new PatternError('of (?…) there is only (?:…)');
          this.#at += 2;
        }
        const tree = this.#choice();
        if (!this.#take(')')) throw new PatternError('a ( has no )');
        return tree;
      }
      case ')':
        throw new PatternError('a ) has no (');
      case '*':
      case '+':
      case '?':
        // Where there is nothing to repeat it stands for itself: `+OK` is what a server of POP3 says.
        if (!isFirst) throw new PatternError(`${character} repeats what is repeated already`);
        return literal(character);
      default:
        return literal(character);
    }
  }

  #quantifier(): { least: number; most: number } | undefined {
    const rest = this.#text.slice(this.#at, this.#at + 12);
    const match = /^(?:([*+?])|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})\??/.exec(rest);
    if (match === null) return undefined;
    this.#at += match[0].length;
    const [, sign, least, comma, most] = match;
    if (sign !== undefined) return { least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : Infinity };
    const low = Number(least);
    const high = comma === undefined ? low : most === undefined ? Infinity : Number(most);
    if (low > MAX_REPEATS || (high !== Infinity && high > MAX_REPEATS)) {
      throw new PatternError(`more than ${MAX_REPEATS} repetitions: ${match[0]}`);
    }
    if (low > high) throw new PatternError(`the limits of ${match[0]} are the wrong way round`);
    return { least: low, most: high };
  }

  #escape(): Tree {
    const character = this.#next();
    switch (character) {
      case undefined:
        throw new PatternError('nothing stands behind the last \\');
      case 'd':
        return setOf(isDigit);
      case 'D':
        return setOf((octet) => !isDigit(octet));
      case 'w':
        return setOf(isWord);
      case 'W':
        return setOf((octet) => !isWord(octet));
      case 's':
        return setOf(isSpace);
      case 'S':
        return setOf((octet) => !isSpace(octet));
    }
    const octet = this.#octetEscape(character);
    if (octet !== undefined) return setOf((each) => each === octet);
    // Behind it stands what it is not an escape for: POSIX leaves open what that means, so nobody guesses.
    if (/[A-Za-z0-9]/.test(character)) throw new PatternError(`\\${character} means nothing`);
    return literal(character);
  }

  /** The octet that an escape stands for, of which `character` is the first behind the backslash. */
  #octetEscape(character: string): number | undefined {
    const named = OCTET_ESCAPES[character];
    if (named !== undefined) return named;
    const digits = (character === 'x' ? /^[0-9a-fA-F]{2}/ : /^[0-3][0-7]{2}/).exec(
      this.#text.slice(character === 'x' ? this.#at : this.#at - 1, this.#at + 2),
    )?.[0];
    if (digits === undefined) return undefined;
    this.#at += 2;
    return Number.parseInt(digits, character === 'x' ? 16 : 8);
  }

  #bracket(): Tree {
    const isNegated = this.#take('^');
    const octets = new Uint8Array(256);
    for (let isFirst = true; isFirst || !this.#sees(']'); isFirst = false) {
      if (this.#at >= this.#text.length) throw new PatternError('a [ has no ]');
      const named = /^\[:([a-z]+):\]/.exec(this.#text.slice(this.#at));
      if (named !== null) {
        const holds = CLASSES[named[1]!];
        if (holds === undefined) throw new PatternError(`there are no characters of class ${named[0]}`);
        this.#at += named[0].length;
        fill(octets, holds);
        continue;
      }
      const low = this.#bracketOctet();
      if (typeof low === 'function') {
        fill(octets, low);
      } else if (this.#sees('-') && this.#text[this.#at + 1] !== ']' && this.#at + 1 < this.#text.length) {
        this.#at++;
        const high = this.#bracketOctet();
        if (typeof high === 'function' || high < low) throw new PatternError('a range in [ ] is the wrong way round');
        fill(octets, (octet) => octet >= low && octet <= high);
      } else {
        octets[low] = 1;
      }
    }
    this.#at++;
    return { kind: 'set', octets: isNegated ? octets.map((each) => 1 - each) : octets };
  }

  #bracketOctet(): number | ((octet: number) => boolean) {
    const character = this.#next();
    if (character === '\\') {
      const escaped = this.#next();
      if (escaped === undefined) throw new PatternError('a [ has no ]');
      if (escaped === 'd') return isDigit;
      if (escaped === 'w') return isWord;
      if (escaped === 's') return isSpace;
      const octet = this.#octetEscape(escaped);
      if (octet !== undefined) return octet;
      return asciiOf(escaped);
    }
    return asciiOf(character!);
  }

  #next(): string | undefined {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) return undefined;
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character;
  }

  #sees(character: string): boolean {
    return this.#text[this.#at] === character;
  }

  #take(character: string): boolean {
    if (!this.#sees(character)) return false;
    this.#at++;
    return true;
  }
}

/** The automaton of a pattern; a `PatternError` says what is wrong with it. */
export function parsePattern(text: string): PatternAutomaton {
  const nodes: PatternNode[] = [];
  let steps = 0;
  const add = (node: PatternNode): number => {
    if (nodes.length === MAX_NODES) throw new PatternError('it is too large: repeat less');
    return nodes.push(node) - 1;
  };
  /** Adds what finds `tree` and goes on to `next`; returns where to begin. */
  const build = (tree: Tree, next: number): number => {
    // Also what repeats nothing takes time.
    if (++steps > MAX_STEPS) throw new PatternError('it is too large: repeat less');
    switch (tree.kind) {
      case 'empty':
        return next;
      case 'start':
      case 'end':
        return add({ kind: tree.kind, next });
      case 'set':
        return add({ kind: 'set', octets: tree.octets, next });
      case 'sequence':
        return tree.parts.reduceRight((behind, part) => build(part, behind), next);
      case 'choice':
        return add({ kind: 'fork', to: tree.parts.map((part) => build(part, next)) });
      case 'repeat': {
        let behind = next;
        if (tree.most === Infinity) {
          const to = [next];
          behind = add({ kind: 'fork', to });
          to.push(build(tree.part, behind));
        } else {
          for (let left = tree.most - tree.least; left > 0; left--) {
            behind = add({ kind: 'fork', to: [next, build(tree.part, behind)] });
          }
        }
        for (let left = tree.least; left > 0; left--) behind = build(tree.part, behind);
        return behind;
      }
    }
  };
  const found = add({ kind: 'found' });
  return { nodes, first: build(new Parser(text).whole(), found) };
}

function literal(character: string | undefined): Tree {
  const parts = Array.from(utf8.encode(character), (octet) => setOf((each) => each === octet));
  return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
}

function asciiOf(character: string): number {
  const code = character.codePointAt(0)!;
  if (code > 127) throw new PatternError(`${character} is beyond ASCII, and cannot stand in [ ]`);
  return code;
}

function setOf(holds: (octet: number) => boolean): Tree {
  const octets = new Uint8Array(256);
  fill(octets, holds);
  return { kind: 'set', octets };
}

function fill(octets: Uint8Array, holds: (octet: number) => boolean): void {
  for (let octet = 0; octet < 256; octet++) if (holds(octet)) octets[octet] = 1;
}

function isUpper(octet: number): boolean {
  return octet >= 65 && octet <= 90;
}

function isLower(octet: number): boolean {
  return octet >= 97 && octet <= 122;
}

function isDigit(octet: number): boolean {
  return octet >= 48 && octet <= 57;
}

function isSpace(octet: number): boolean {
  return octet === 32 || (octet >= 9 && octet <= 13);
}
