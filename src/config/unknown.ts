// What a text holds that this version does not know. It is kept as it was written, and written back in place.
//
// In place means: behind the object that it stood behind. Where that object is gone, it follows the unknown object that stood
// before it; where there is none, it comes first. What was merged in without an object in front comes last.

import type { TextPosition } from '../core/errors.ts';
import type { Token } from './scanner.ts';

/** Stands in `after` of what comes before all objects. */
export const FIRST = '';

export type UnknownObject = {
  /** Type and name, separated by single spaces; COMMENT for comments at the end of the text. */
  readonly header: string;
  /** As it was written, from the type to the brace that closes it. */
  readonly text: string;
  /** Comments in front of it. */
  readonly lead?: string;
  /** Key of the object that it stands behind, or FIRST; undefined: it comes last. */
  readonly after: string | undefined;
  readonly position?: TextPosition;
  /** Where its type is known: its key, and why it has no effect. */
  readonly key?: string;
  readonly reason?: string;
};

/** The words of a header as one text. */
export function headerOf(words: readonly Token[]): string {
  return words.map((word) => word.text).join(' ');
}

/** Unknown objects by the key of the object that each is written behind; undefined for the end. */
export function placesOf(
  unknown: readonly UnknownObject[],
  isWritten: (key: string) => boolean,
): Map<string | undefined, UnknownObject[]> {
  const places = new Map<string | undefined, UnknownObject[]>();
  let before: string = FIRST;
  for (const object of unknown) {
    let place = object.after;
    if (place !== undefined) {
      if (place !== FIRST && !isWritten(place)) place = before;
      before = place;
    }
    const here = places.get(place);
    if (here === undefined) places.set(place, [object]);
    else here.push(object);
  }
  return places;
}
