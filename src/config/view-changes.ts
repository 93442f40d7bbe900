// How the views of one configuration differ from those of the one before it, and all of them by type and sorted by name.

import { compareNames } from './configuration.ts';
import type { AnyConfigObject } from './object-type.ts';
import { OBJECT_TYPES } from './object-types.ts';

type Views = ReadonlyMap<string, AnyConfigObject>;
type ByType = ReadonlyMap<string, readonly AnyConfigObject[]>;

export type ViewChanges = {
  /** Every type is there. */
  readonly byType: ByType;
  /** Views that are new, or another one than before. */
  readonly changed: ReadonlySet<AnyConfigObject>;
  /** Those of them whose object is new. */
  readonly added: readonly AnyConfigObject[];
  /** By key: views of objects that are gone. */
  readonly gone: ReadonlyMap<string, AnyConfigObject>;
};

/** Sorting thousands of names takes longer than all checks of a small change: so the order is kept from one to the next. */
const sorted = new WeakMap<Views, ByType>();

const named = new WeakMap<readonly AnyConfigObject[], ReadonlyMap<string, AnyConfigObject>>();

/** The views of a type by name; of a list that stays the same it is made once. */
export function byNameOf(views: readonly AnyConfigObject[]): ReadonlyMap<string, AnyConfigObject> {
  let names = named.get(views);
  if (names === undefined) {
    names = new Map(views.map((view) => [view.name, view]));
    named.set(views, names);
  }
  return names;
}

export function viewChanges(before: Views, after: Views): ViewChanges {
  const added: AnyConfigObject[] = [];
  /** By the view before. */
  const replaced = new Map<AnyConfigObject, AnyConfigObject>();
  for (const [key, view] of after) {
    const old = before.get(key);
    if (old === undefined) added.push(view);
    else if (old !== view) replaced.set(old, view);
  }
  const gone = new Map<string, AnyConfigObject>();
  if (after.size - added.length < before.size) {
    for (const [key, view] of before) if (!after.has(key)) gone.set(key, view);
  }
  const byType = follow(sortedOf(before), added, replaced, new Set(gone.values()));
  sorted.set(after, byType);
  return { byType, changed: new Set([...added, ...replaced.values()]), added, gone };
}

function sortedOf(views: Views): ByType {
  const known = sorted.get(views);
  if (known !== undefined) return known;
  const byType = follow(new Map(), [...views.values()], new Map(), new Set());
  sorted.set(views, byType);
  return byType;
}

function follow(
  before: ByType,
  added: readonly AnyConfigObject[],
  replaced: ReadonlyMap<AnyConfigObject, AnyConfigObject>,
  gone: ReadonlySet<AnyConfigObject>,
): ByType {
  const touched = new Set([...replaced.keys(), ...gone].map(({ type }) => type));
  const addedTo = new Map<string, AnyConfigObject[]>();
  for (const view of added) {
    const ofType = addedTo.get(view.type);
    if (ofType === undefined) addedTo.set(view.type, [view]);
    else ofType.push(view);
  }
  return new Map(
    OBJECT_TYPES.map(({ path }) => {
      let views = before.get(path) ?? [];
      if (touched.has(path)) views = views.flatMap((view) => (gone.has(view) ? [] : [replaced.get(view) ?? view]));
      const more = addedTo.get(path);
      return [path, more === undefined ? views : merged(views, more.sort(byName))];
    }),
  );
}

const byName = (a: AnyConfigObject, b: AnyConfigObject): number => compareNames(a.name, b.name);

/** Two sorted lists as one: of two thousand and one, the place of the one is looked up. */
function merged(many: readonly AnyConfigObject[], few: readonly AnyConfigObject[]): AnyConfigObject[] {
  if (few.length > many.length / 8) return [...many, ...few].sort(byName);
  const all: AnyConfigObject[] = [];
  let from = 0;
  for (const view of few) {
    const to = placeOf(view, many, from);
    for (; from < to; from++) all.push(many[from]!);
    all.push(view);
  }
  for (; from < many.length; from++) all.push(many[from]!);
  return all;
}

function placeOf(view: AnyConfigObject, views: readonly AnyConfigObject[], from: number): number {
  let [low, high] = [from, views.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byName(views[middle]!, view) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
