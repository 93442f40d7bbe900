// What a property is: its shape in the text, its value, and what the manual says of it.
//
// Four shapes cover tmsh: a scalar is one word (`mtu 1500`), a flag is a bare keyword (`tagged`), a list stands in braces
// (`members { a b }`), and records are named sub-objects (`interfaces { 1.1 { tagged } }`). Front-ends know the shapes
// and never a property.

import type { Properties, Scalar, Value } from './value.ts';

/** The outcome of reading a word: its value, or what is wrong with it. */
export type Reading<T> = { readonly value: T } | { readonly problem: string };

/** What an object is called somewhere, and the types of which it may be. */
export type NamedObject = { readonly types: readonly string[]; readonly name: string };

/** The kind of the word that goes on behind these; undefined: they are all. */
export type WordBehind = (words: readonly string[]) => ScalarKind<string> | undefined;

/** Objects that a value names beside other things. */
export type NamesWithin = {
  /** Types of all objects that values may name. */
  readonly types: readonly string[];
  of(value: string): readonly NamedObject[];
  /** The value with another name of one of them. */
  renamed(value: string, type: string, from: string, to: string): string;
};

/** Reads and prints one word. `folder` is the folder that bare names belong to, when printing also the one to leave out. */
export type ScalarKind<T extends Scalar = Scalar> = {
  readonly shape: 'scalar';
  /** Kind for the manual and for REST: `integer`, `ip-address`, … */
  readonly name: string;
  /** What may be written, for messages and the manual: `1-4094`. */
  readonly expects: string;
  /** Words to offer, when there are few. */
  readonly words?: readonly string[];
  /** Types of the objects that the value names. */
  readonly refersTo?: readonly string[];
  /** The value may be several words, as a rule over monitors is: `a and b`, `min 1 of { a b }`. */
  readonly isPhrase?: true;
  /** The value is several words, each in its place: `not country US`. */
  readonly wordBehind?: WordBehind;
  /** Objects that the value names where it is more than the name of one: `a /Common/p`. */
  readonly within?: NamesWithin;
  /** What is written must not be shown: the value is a sealed text (secret-box.ts). */
  readonly isSecret?: true;
  /** The word in this route domain where it is an address that names none, and may; absent: it is no address. */
  readonly inDomain?: (word: string, routeDomain: number) => string;
  read(word: string, folder: string): Reading<T>;
  print(value: T, folder: string | undefined): string;
};

export type FlagKind = { readonly shape: 'flag'; readonly whenTrue: string; readonly whenFalse: string };

export type ListKind = {
  readonly shape: 'list';
  readonly item: ScalarKind<string>;
  /** Words that stand for a whole list and need no braces: `allow-service all`. */
  readonly wholes?: readonly string[];
  /** Items are written without braces, each behind the name of the property: a name and a value (`user-defined LEVEL 7`). */
  readonly isLines?: true;
};

export type RecordsKind = {
  readonly shape: 'records';
  readonly key: ScalarKind<string>;
  readonly properties: PropertyMap;
  /** The keys are MAC addresses, and the value is a RecordTable. */
  readonly isTable?: true;
};

export type Kind = ScalarKind | FlagKind | ListKind | RecordsKind;

export type PropertyOptions<T> = {
  readonly help: string;
  /** The value when none was set; a function computes it from the object's other properties. */
  readonly default?: T | ((own: Properties) => T);
  /** The property of another object whose value stands before `default` where none was set. */
  readonly defaultFrom?: { readonly type: string; readonly name: string; readonly property: string };
  readonly required?: true;
  /** Cannot be changed once the object exists. */
  readonly immutable?: true;
  /** Assigned by the system when the object is created without it. */
  readonly assigned?: true;
  readonly secret?: true;
  /** What a change costs the data plane: `live`, nothing; `rebuild`, the object is taken down and made again. */
  readonly onChange?: 'live' | 'rebuild';
  /** Records whose order counts: where it changes, the property has changed. */
  readonly isOrdered?: true;
  /** No BIG-IP has it. */
  readonly extension?: true;
  /** Known, kept and validated for the sake of pasted configurations, but without effect in this version. */
  readonly inert?: true;
  /** Where the REST name is not the camelCase of the tmsh name. */
  readonly restName?: string;
};

export type Property<T extends Value = Value, Always extends boolean = boolean> = PropertyOptions<T> & {
  readonly kind: Kind;
  /** Type only: what the value is. */
  readonly valueType?: T;
  /** Type only: whether the materialised view always has the property. */
  readonly always?: Always;
};

export type PropertyMap = Readonly<Record<string, Property>>;

/** True when options give the property a value in every case. */
export type Always<O> = O extends { default: unknown } | { required: true } | { assigned: true } ? true : false;

type ValueOf<P> = P extends { valueType?: infer T } ? Exclude<T, undefined> : never;
type AlwaysKeys<M> = { [K in keyof M]: M[K] extends { always?: true } ? K : never }[keyof M];

/** The TypeScript type of a materialised view: what has a default or is required is there, the rest may be absent. */
export type PropertiesOf<M extends PropertyMap> = {
  readonly [K in AlwaysKeys<M>]: ValueOf<M[K]>;
} & { readonly [K in Exclude<keyof M, AlwaysKeys<M>>]?: ValueOf<M[K]> };
