// One definition per object type: everything else (TypeScript type, grammar, REST, validation, diff, manual) follows from it.

import type { ConfigCode, ConfigErrorDetails } from '../core/errors.ts';
import { COMMON, nameProblem, pathProblem } from './name.ts';
import type { PropertiesOf, PropertyMap, ScalarKind } from './property.ts';
import type { MutableProperties, Properties } from './value.ts';

/** Which devices of a group share the objects of a type. */
export type SyncClass = 'local' | 'gtm' | 'device-group';

/** Which daemon an object is for: it gets it, and has its statistics. */
export type RunBy = 'dataplaned' | 'dnsd' | 'healthd' | 'iqueryd' | 'metricsd';

/** An object as everybody but the store sees it: canonical values, defaults materialised. */
export type TypedObject<Path extends string, M extends PropertyMap> = {
  readonly type: Path;
  /** /partition/folder/name; the bare name for types whose naming is plain; empty for a singleton. */
  readonly name: string;
  readonly properties: PropertiesOf<M>;
};

export type ObjectTypeOptions<Path extends string, M extends PropertyMap> = {
  /** Module, components and type: `net tunnels tunnel`. */
  readonly path: Path;
  /** As messages call it: `VLAN`. */
  readonly label: string;
  readonly help: string;
  /** A configuration that has an object of the type, for the manual: it loads as it is. */
  readonly example: string;
  /** `full-path`: /partition/name. `plain`: the type has no partitions. `singleton`: one nameless object, always there. */
  readonly naming: 'full-path' | 'plain' | 'singleton';
  readonly sync: SyncClass;
  /** Absent: dataplaned. */
  readonly runBy?: RunBy;
  /** Other daemons that get it. */
  readonly readBy?: readonly RunBy[];
  /** No BIG-IP has the type. */
  readonly extension?: true;
  readonly restName?: string;
  /** In the order in which they are printed. */
  readonly properties: M;
  /** Types of one name space cannot have objects of the same name. */
  readonly nameSpace?: string;
  /** There is one object for each object of these types, made and deleted with it, never by itself. */
  readonly companionOf?: readonly AnyObjectType[];
  /** The property that names the object of the same type which gives the values that are not set. */
  readonly inheritsBy?: keyof M & string;
  /** Objects that exist on every system and cannot be deleted; the values are those that are not defaults. */
  readonly builtIn?: Readonly<Record<string, Properties>>;
  /** There are those of `builtIn` and no others. */
  readonly isFixed?: true;
  /** How names are read that are more than a word or a path; they name what the kind says. */
  readonly nameKind?: ScalarKind<string>;
  /** Why this cannot be a name; undefined when it can. Absent: what `naming` says. */
  nameProblem?(name: string): string | undefined;
  /** Names may have wildcards: a word that is the name of an object means that one alone. */
  readonly hasWildcardNames?: true;
  /** Its objects hold others, and are objects of another type as well. */
  readonly twin?: Twin;
  /** Completes an object that was just created: a tag from those that `others` leave free, an address from the name. */
  assign?(name: string, own: MutableProperties, others: () => readonly NamedProperties[]): void;
  /** Checks across objects; called once with all objects of the type. */
  check?(objects: readonly TypedObject<Path, M>[], context: CheckContext): void;
};

/** One thing of two types, as partition test and folder /test: made and deleted together, and never renamed. */
export type Twin = {
  /** Path of the other type. */
  readonly type: string;
  /** Name of the other object; undefined where there is none. */
  nameOf(name: string): string | undefined;
  /** The other type leads: where it is written, this one need not be. */
  readonly isLeading?: true;
};

export type NamedProperties = {
  readonly name: string;
  readonly properties: Properties;
};

export type ObjectType<Path extends string = string, M extends PropertyMap = PropertyMap> = ObjectTypeOptions<Path, M>;

// Methods are compared bivariantly, so every definition is one of these.
export type AnyObjectType = ObjectTypeOptions<string, PropertyMap>;

export type ObjectOf<D> = D extends ObjectTypeOptions<infer Path, infer M> ? TypedObject<Path, M> : never;

/** What a check may look at, and how it says what it found. */
export interface CheckContext {
  find<Path extends string, M extends PropertyMap>(
    type: ObjectTypeOptions<Path, M>,
    name: string,
  ): TypedObject<Path, M> | undefined;
  all<Path extends string, M extends PropertyMap>(type: ObjectTypeOptions<Path, M>): readonly TypedObject<Path, M>[];
  /** Objects of the type that the change takes away. */
  gone<Path extends string, M extends PropertyMap>(type: ObjectTypeOptions<Path, M>): readonly TypedObject<Path, M>[];
  /** Such an object cannot go: `user` depends on it by a property that is no reference, as an address on its route domain. */
  inUse(gone: AnyConfigObject, user: AnyConfigObject, property: string): void;
  /** The configuration is refused. `text` names object, property and value; `hint` says what to do next. */
  error(object: AnyConfigObject, text: string, details?: CheckDetails & { code?: ConfigCode }): void;
  /** The configuration is valid, but hardly meant so. */
  warn(object: AnyConfigObject, text: string, details?: CheckDetails): void;
}

export type CheckDetails = Pick<ConfigErrorDetails, 'property' | 'value' | 'hint'>;

/** An object of whichever type. */
export type AnyConfigObject = { readonly type: string; readonly name: string; readonly properties: Properties };

export function objectType<const Path extends string, const M extends PropertyMap>(
  options: ObjectTypeOptions<Path, M>,
): ObjectTypeOptions<Path, M> {
  return options;
}

/** The object's name as messages write it: `VLAN (/Common/wan)`. */
export function labelled(type: AnyObjectType, name: string): string {
  return type.naming === 'singleton' ? type.label : `${type.label} (${name})`;
}

/** Why an object of the type cannot have this name; undefined when it can. */
export function namingProblem(type: AnyObjectType, name: string): string | undefined {
  if (type.nameProblem !== undefined) return type.nameProblem(name);
  if (type.nameKind !== undefined) {
    const reading = type.nameKind.read(name, COMMON);
    return 'problem' in reading ? `it ${reading.problem}` : undefined;
  }
  return type.naming === 'plain' ? nameProblem(name) : pathProblem(name);
}

/** Type and name of the object of another type that this one is as well. */
export function twinOf(type: AnyObjectType, name: string): { type: string; name: string } | undefined {
  const other = type.twin?.nameOf(name);
  return other === undefined ? undefined : { type: type.twin!.type, name: other };
}
