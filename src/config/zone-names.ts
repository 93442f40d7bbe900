// Names in a `gtm zone`: that of the zone, which is the last part of the object's, and those of its records, `www/a`.

import { type DomainName } from '../dns/record.ts';
import { formatName, lowerName, nameErrorText, parseName, ROOT_NAME } from '../dns/name.ts';
import { isMetaType, typeName, typeOf } from '../dns/record-types.ts';
import type { Reading } from './property.ts';

/** The origin of the zone of an object, in lower case, or why the name is none. */
export function originOf(objectName: string): { readonly name: DomainName; readonly text: string } | string {
  const text = objectName.slice(objectName.lastIndexOf('/') + 1);
  const name = text === '@' ? '"@" is not the name of a zone' : parseName(text, ROOT_NAME);
  if (typeof name === 'string') return name;
  if (typeof name === 'number') return `"${text}" is not the name of a zone: ${nameErrorText(name)}`;
  lowerName(name);
  return { name, text: formatName(name) };
}

/** The owner and the type of a record: the last slash stands between them. */
export function splitRecordKey(key: string): { readonly owner: string; readonly type: string } {
  const slash = key.lastIndexOf('/');
  return { owner: key.slice(0, slash), type: key.slice(slash + 1) };
}

/** `www/A` is the record `www/a`; the owner stays as it is written. */
export function readRecordKey(word: string): Reading<string> {
  if (!word.includes('/')) return { problem: 'must be an owner and a type, as in www/a' };
  const { owner, type: mnemonic } = splitRecordKey(word);
  const name = parseName(owner, ROOT_NAME);
  if (typeof name === 'number') return { problem: `must be an owner and a type, as in www/a: ${nameErrorText(name)}` };
  const type = typeOf(mnemonic);
  if (type === undefined) return { problem: `must be an owner and a type, as in www/a: unknown type "${mnemonic}"` };
  if (isMetaType(type)) return { problem: `must have a type of data, which ${typeName(type)} is not` };
  return { value: `${owner}/${typeName(type).toLowerCase()}` };
}
