// A file of somebody else's making with its secrets sealed, and otherwise as it is: for copies that are kept.

import { ConfigSyntaxError } from '../core/errors.ts';
import type { AnyObjectType } from './object-type.ts';
import { OBJECT_TYPES } from './object-types.ts';
import type { PropertyMap, ScalarKind } from './property.ts';
import { Scanner } from './scanner.ts';
import { SEALED } from './secret-box.ts';

/** Stands for a secret that is no possible value. */
const UNREADABLE = '********';

type Secrets = ReadonlyMap<string, ScalarKind>;

const HOLDERS: readonly { readonly header: RegExp; readonly secrets: Secrets }[] = OBJECT_TYPES.flatMap((type) => {
  const secrets = secretsOf(type.properties);
  return secrets.size === 0 ? [] : [{ header: headerOf(type), secrets }];
});

function secretsOf(map: PropertyMap): Secrets {
  const found = new Map<string, ScalarKind>();
  for (const [name, { secret, kind }] of Object.entries(map)) {
    if (secret === true && kind.shape === 'scalar') found.set(name, kind);
    if (kind.shape === 'records') for (const [inner, each] of secretsOf(kind.properties)) found.set(inner, each);
  }
  return found;
}

function headerOf({ path }: AnyObjectType): RegExp {
  return new RegExp(`(?:^|\\n)[ \\t]*/?${path.replaceAll(' ', '[ \\t]+')}[ \\t]`);
}

/** The text itself where it holds no secret. */
export function sealedText(text: string): string {
  if (!HOLDERS.some(({ header }) => header.test(text))) return text;
  let sealed = '';
  let at = 0;
  try {
    for (const { start, end, kind, word } of secretsIn(text)) {
      if (word.startsWith(SEALED)) continue;
      const reading = kind.read(word, '/Common');
      sealed += text.slice(at, start) + ('value' in reading ? kind.print(reading.value, undefined) : UNREADABLE);
      at = end;
    }
  } catch (error) {
    if (!(error instanceof ConfigSyntaxError)) throw error;
    return withoutLines(text);
  }
  return sealed + text.slice(at);
}

type Found = { readonly start: number; readonly end: number; readonly word: string; readonly kind: ScalarKind };

/** The values of secrets in objects of types that have some. */
function* secretsIn(text: string): Generator<Found> {
  const scanner = new Scanner(text, undefined, { isFile: true });
  let header = '';
  let depth = 0;
  let secrets: Secrets = new Map();
  for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
    if (token.kind === 'open') {
      if (depth++ === 0) secrets = HOLDERS.find((holder) => holder.header.test(`${header} `))?.secrets ?? new Map();
    } else if (token.kind === 'close') {
      if (--depth <= 0) header = '';
    } else if (depth <= 0) {
      header += header === '' ? token.text : ` ${token.text}`;
    } else {
      const kind = token.isQuoted ? undefined : secrets.get(token.text);
      const value = kind === undefined ? undefined : scanner.peek();
      if (kind === undefined || value?.kind !== 'word') continue;
      scanner.next();
      yield { start: value.start, end: value.end, word: value.text, kind };
    }
  }
}

/** What cannot be read is kept without the lines that name a secret. */
function withoutLines(text: string): string {
  const names = HOLDERS.flatMap(({ secrets }) => [...secrets.keys()]);
  const lines = text.split('\n');
  return lines.map((line) => (names.some((name) => line.includes(name)) ? `# ${UNREADABLE}` : line)).join('\n');
}
