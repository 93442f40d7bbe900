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
  readonly text: string;
};

export const NOT_KNOWN = 'is of a type that is not known';

/** Everything that is kept and has no effect: objects in their order, then what stands in known objects. */
export function* unknownEntries(configuration: Configuration): Generator<UnknownEntry, void> {
  for (const { header, position, key, reason } of configuration.unknown) {
    if (header === COMMENT) continue;
    const { type, name } = splitHeader(header);
    const text = key === undefined ? `object "${header}" ${NOT_KNOWN}` : `object "${header}" ${reason}`;
    yield { kind: 'object', type, name, text, ...(position === undefined ? {} : { position }) };
  }
  const holders = [...configuration.objects.values()].filter(({ extras }) => extras.length > 0);
  holders.sort((a, b) => compareNames(a.type, b.type) || compareNames(a.name, b.name));
  for (const { type, name, extras } of holders) {
    for (const extra of extras) {
      if (extra.name === COMMENT) continue;
      const { position, reason } = extra;
      const property = [...extra.path, extra.name].join(' ');
      const where = [objectKey({ type, name }), ...extra.path].join(' ');
      const text = reason === undefined ? `${where}: property "${extra.name}" is not known` : `${where}: ${reason}`;
      const kind = reason === undefined ? 'property' : 'item';
      yield { kind, type, name, property, text, ...(position === undefined ? {} : { position }) };
    }
  }
}

/** `file:line` where it is known. */
export function placeOf(position: TextPosition | undefined): string {
  return position === undefined ? '' : formatPosition(position).replace(/:[0-9]+$/, '');
}

/** Type and name of an object whose type is not known: the name starts at the first word that no type can have. */
export function splitHeader(header: string): { type: string; name: string } {
  const words = header.split(' ');
  const at = words.findIndex((word, index) => index > 1 && !/^[a-z][a-z-]*[0-9]*$/.test(word));
  if (at < 0) return { type: header, name: '' };
  return { type: words.slice(0, at).join(' '), name: words.slice(at).join(' ') };
}
