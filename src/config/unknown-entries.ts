// What of a configuration has no effect because this version does not know it: for warnings and `show sys config unknown`.

import type { TextPosition } from '../core/errors.ts';
import { formatPosition } from '../core/errors.ts';
import { objectKey } from './change.ts';
import { compareNames } from './configuration.ts';
import type { Configuration } from './configuration.ts';
import { COMMENT } from './read-properties.ts';

/** What has no effect, for the report. */
export type UnknownEntry = {
  readonly kind: 'object' | 'property' | 'item';
  readonly type: string;
  readonly name: string;
  /** The property; of an item its list, too. */
  readonly property?: string;
  readonly position?: TextPosition;
  /** Why it has no effect, in few words. */
  readonly reason: string;
  /** The same as a sentence that names it. */
  readonly text: string;
};

/** Everything that is kept and has no effect: objects in their order, then what stands in known objects. */
export function* unknownEntries(configuration: Configuration): Generator<UnknownEntry, void> {
  for (const object of configuration.unknown) {
    const { header, position, reason = 'is of a type that is not known' } = object;
    if (header === COMMENT) continue;
    const place = position === undefined ? {} : { position };
    yield { kind: 'object', ...splitHeader(header), reason, text: `object "${header}" ${reason}`, ...place };
  }
  const holders = [...configuration.objects.values()].filter(({ extras }) => extras.length > 0);
  holders.sort((a, b) => compareNames(a.type, b.type) || compareNames(a.name, b.name));
  for (const { type, name, extras } of holders) {
    for (const extra of extras) {
      if (extra.name === COMMENT) continue;
      const where = [objectKey({ type, name }), ...extra.path].join(' ');
      const place = extra.position === undefined ? {} : { position: extra.position };
      const property = [...extra.path, extra.name].join(' ');
      const reason = extra.reason ?? 'is not known';
      const isItem = extra.reason !== undefined;
      const text = isItem ? `${where}: ${reason}` : `${where}: property "${extra.name}" ${reason}`;
      yield { kind: isItem ? 'item' : 'property', type, name, property, reason, text, ...place };
    }
  }
}

/** `file:line` where it is known. */
export function placeOf(position: TextPosition | undefined): string {
  return position === undefined ? '' : formatPosition(position).replace(/:[0-9]+$/, '');
}

/** What singletons end with that have more than two words: `gtm global-settings general`, `sys dynad settings`. */
const SINGLETON = /(?: global-settings [a-z-]+|[ -](?:settings|config))$/;

/**
 * Type and name of an object whose type is not known: the name starts at the first word that no type can have, or is the
 * last word.
 */
function splitHeader(header: string): { type: string; name: string } {
  const words = header.split(' ');
  const first = words.findIndex((word, index) => index > 1 && !/^[a-z][a-z0-9-]*$/.test(word));
  if (first < 0 && (words.length < 3 || SINGLETON.test(header))) return { type: header, name: '' };
  const at = first < 0 ? words.length - 1 : first;
  return { type: words.slice(0, at).join(' '), name: words.slice(at).join(' ') };
}
