// Bare names of other objects in a folder: there if there is one, in /Common otherwise, as on the device.

import type { Edit, PropertyEdit } from '../config/edit.ts';
import type { Kind, PropertyMap, ScalarKind } from '../config/property.ts';
import { sentenceOf, wordsOf } from '../config/sentence.ts';
import { isList } from '../config/value.ts';

/** Whether there is an object of one of these types. */
export type Exists = (types: readonly string[], name: string) => boolean;

/** `near` and `common` are the same text, read with the one and the other folder: they differ where a name is bare. */
export function settleReferences(
  map: PropertyMap,
  near: readonly PropertyEdit[],
  common: readonly PropertyEdit[],
  exists: Exists,
): PropertyEdit[] {
  return near.map((each, index) => ({
    ...each,
    edit: settleEdit(map[each.property]!.kind, each.edit, common[index]!.edit, exists),
  }));
}

function settleEdit(kind: Kind, near: Edit, common: Edit, exists: Exists): Edit {
  if (near.verb === 'set' && common.verb === 'set') {
    if (isList(near.value) && isList(common.value)) {
      return { verb: 'set', value: settleNames(kind, near.value, common.value, exists) };
    }
    if (typeof near.value !== 'string' || typeof common.value !== 'string') return near;
    return { verb: 'set', value: settleName(kind, near.value, common.value, exists) };
  }
  if ('items' in near && 'items' in common) {
    return { verb: near.verb, items: settleNames(kind, near.items, common.items, exists) };
  }
  if (kind.shape !== 'records') return near;
  if ('keys' in near && 'keys' in common) {
    return {
      verb: near.verb,
      keys: near.keys.map((key, index) => settleName(kind.key, key, common.keys[index]!, exists)),
    };
  }
  if (!('records' in near) || !('records' in common)) return near;
  const records = near.records.map((record, index) => {
    const other = common.records[index]!;
    const key = settleName(kind.key, record.key, other.key, exists);
    return { ...record, key, edits: settleReferences(kind.properties, record.edits, other.edits, exists) };
  });
  return { verb: near.verb, records };
}

function settleNames(kind: Kind, near: readonly string[], common: readonly string[], exists: Exists): string[] {
  const item = kind.shape === 'list' ? kind.item : kind;
  return near.map((name, index) => settleName(item, name, common[index]!, exists));
}

/** A value of a kind, read with the one and with the other folder. */
export function settleName(kind: Kind, near: string, common: string, exists: Exists): string {
  if (kind.shape !== 'scalar' || near === common) return near;
  const { wordBehind } = kind;
  if (wordBehind !== undefined) {
    const [nearWords, commonWords] = [near, common].map((text) => wordsOf(text) ?? []) as [string[], string[]];
    return sentenceOf(
      nearWords.map((word, index) => {
        const inner = wordBehind(nearWords.slice(0, index));
        return inner === undefined ? word : settleName(inner, word, commonWords[index] ?? word, exists);
      }),
    );
  }
  if (kind.isPhrase === true && kind.within !== undefined) {
    // Words of the phrase are the same in both, names are not.
    const { types } = kind.within;
    const commonWords = common.split(' ');
    const settled = near.split(' ').map((word, index) => {
      const other = commonWords[index]!;
      return word !== other && !exists(types, word) && exists(types, other) ? other : word;
    });
    return settled.join(' ');
  }
  if (isThere(kind, near, exists)) return near;
  return isThere(kind, common, exists) ? common : near;
}

/** Whether a value names objects, and one of them is there. */
function isThere({ refersTo, within }: ScalarKind, value: string, exists: Exists): boolean {
  if (refersTo !== undefined) return exists(refersTo, value);
  return within?.of(value).some(({ types, name }) => exists(types, name)) === true;
}
