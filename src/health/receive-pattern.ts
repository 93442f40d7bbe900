// What an answer has to have: the regular expressions of `recv` and `recv-disable`.
//
// They are those of POSIX on a BIG-IP. What differs in JavaScript is read as POSIX means it: classes of characters like
// [[:digit:]]. A repetition within a repetition is refused: an answer is made by somebody else, and could keep such a pattern
// busy for ever.

/** Characters of the longest pattern. */
export const MAX_PATTERN = 5120;

const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  blank: ' \\t',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '\\x21-\\x7e',
  lower: 'a-z',
  print: '\\x20-\\x7e',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\s',
  upper: 'A-Z',
  xdigit: '0-9A-Fa-f',
};

/** The pattern, or what is wrong with it; `problem` continues the name of a property. */
export type ReceivePattern = { readonly pattern: RegExp } | { readonly problem: string };

/** `flags`: those of JavaScript. */
export function receivePattern(text: string, flags = ''): ReceivePattern {
  if (text.length > MAX_PATTERN) return { problem: `is longer than ${MAX_PATTERN} characters` };
  try {
    const pattern = new RegExp(withPosixClasses(text), flags);
    return repeatsWithinRepetition(text)
      ? {
          problem:
            'must have no repetition within a repetition, as in (a+)+: some answers would take for ever to match',
        }
      : { pattern };
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : String(error);
    return { problem: `must be a regular expression (${why})` };
  }
}

function withPosixClasses(text: string): string {
  return text.replace(/\[:([a-z]+):\]/g, (whole, name: string) => POSIX_CLASSES[name] ?? whole);
}

/** A quantifier without an upper bound, at a place. */
const UNBOUNDED = /[*+]|\{[0-9]+,\}/y;

function isUnbounded(text: string, at: number): boolean {
  UNBOUNDED.lastIndex = at;
  return UNBOUNDED.test(text);
}

/** Whether a group that has a repetition is repeated, either without end. */
function repeatsWithinRepetition(text: string): boolean {
  /** Of each open group, the outermost first: whether something in it is repeated. */
  const groups = [false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\\') at++;
    else if (character === '[') at = endOfClass(text, at);
    else if (character === '(') {
      groups.push(false);
      continue;
    } else if (character === ')' && groups.length > 1) {
      const isRepeating = groups.pop()!;
      if (isRepeating && isUnbounded(text, at + 1)) return true;
      if (isRepeating) groups[groups.length - 1] = true;
    }
    if (isUnbounded(text, at + 1)) groups[groups.length - 1] = true;
  }
  return false;
}

/** The place of the bracket that ends a class of characters. */
function endOfClass(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text.startsWith('[:', at)) at = Math.max(at, text.indexOf(':]', at) + 1);
    else if (text[at] === ']') return at;
  }
  return text.length;
}
