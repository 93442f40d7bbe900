// The page of one object type: everything about it follows from its definition.

import { withDefaults } from '../config/configuration.ts';
import type { AnyObjectType } from '../config/object-type.ts';
import { OBJECT_TYPES, findObjectType } from '../config/object-types.ts';
import type { Kind, Property, PropertyMap, RecordsKind, ScalarKind } from '../config/property.ts';
import { restPath, restPropertyName } from '../config/rest-name.ts';
import { quote } from '../config/scanner.ts';
import { isList, isRecords, isTable } from '../config/value.ts';
import type { Scalar, Value } from '../config/value.ts';
import { alternatives, anchor, code, fenced, page, plain, table } from './markdown.ts';

export const pageOfType = (path: string): string => `${path.replaceAll(' ', '-')}.md`;

export function objectPage(type: AnyObjectType): string {
  return page(
    `# ${type.path}`,
    `${plain(type.help)}${type.extension === true ? ' *No BIG-IP has it.*' : ''}`,
    table(['', ''], facts(type)),
    '## Example',
    fenced('tmsh', type.example),
    '## Properties',
    propertyTable(type.properties),
    ...recordSections(type.properties),
    ...builtIns(type),
    ...users(type),
  );
}

const NAMING = {
  'full-path': '`/PARTITION/NAME`; a bare name is in `/Common`',
  plain: 'a bare name, without a partition',
  singleton: 'none: there is one such object, always',
} as const;

const SYNC = {
  local: 'no: each device has its own',
  gtm: 'in a DNS synchronisation group',
  'device-group': 'in a device group',
} as const;

function facts(type: AnyObjectType): string[][] {
  const rows = [
    ['Name', type.nameKind === undefined ? NAMING[type.naming] : plain(type.nameKind.expects)],
    ['In messages', plain(type.label)],
    ['REST', code(restPath(type))],
    ['Synchronised', SYNC[type.sync]],
  ];
  const neighbours = OBJECT_TYPES.filter(
    (other) => other !== type && type.nameSpace !== undefined && other.nameSpace === type.nameSpace,
  );
  if (neighbours.length > 0) rows.push(['Shares its names with', neighbours.map(({ path }) => link(path)).join(', ')]);
  if (type.companionOf !== undefined) {
    const owners = type.companionOf.map(({ path }) => link(path)).join(' or ');
    rows.push(['Made and deleted', `with its ${owners}, never by itself`]);
  }
  if (type.inheritsBy !== undefined) {
    rows.push(['Values that are not set', `come from the object that ${code(type.inheritsBy)} names`]);
  }
  return rows;
}

/** `prefix` are the records that they stand in: `devices `. */
function propertyTable(map: PropertyMap, prefix = ''): string {
  const rows = Object.entries(map).map(([name, property]) => [
    code(name),
    restNames(name, property),
    values(prefix + name, property.kind),
    standard(property),
    [...marks(property), plain(property.help)].join(' '),
  ]);
  return table(['Property', 'REST', 'Values', 'Default', 'Meaning'], rows);
}

/** Two of a flag, of which one is there. */
function restNames(name: string, property: Property): string {
  const { kind } = property;
  if (kind.shape !== 'flag') return code(restPropertyName(name, property));
  return [kind.whenTrue, kind.whenFalse].map((word) => code(restPropertyName(word, {}))).join(', ');
}

function marks({ extension, immutable, inert, secret, onChange }: Property): string[] {
  const all: [boolean, string][] = [
    [extension === true, 'Extension.'],
    [immutable === true, 'Immutable.'],
    [secret === true, 'Secret.'],
    [inert === true, 'No effect.'],
    [onChange === 'rebuild', 'Rebuilt.'],
  ];
  return all.filter(([applies]) => applies).map(([, word]) => `*${word}*`);
}

function values(name: string, kind: Kind): string {
  switch (kind.shape) {
    case 'flag':
      return alternatives([kind.whenTrue, kind.whenFalse]);
    case 'list': {
      const wholes = kind.wholes === undefined ? '' : `; or ${alternatives(kind.wholes)}`;
      return `a list, each ${scalarValues(kind.item)}${wholes}`;
    }
    case 'records':
      return `${hasRecordSection(kind) ? `[records](#${anchor(recordHeading(name))})` : 'records'} by ${scalarValues(kind.key)}`;
    case 'scalar':
      return scalarValues(kind);
  }
}

function scalarValues(kind: ScalarKind): string {
  if (kind.refersTo !== undefined) return `the name of ${kind.refersTo.map(link).join(', ')}`;
  return kind.name === 'enumeration' || kind.name === 'boolean'
    ? alternatives(kind.words ?? [])
    : plain(kind.expects.replace(/^an? (?=integer)/, ''));
}

function standard(property: Property): string {
  const { default: value, defaultFrom, kind } = property;
  if (property.required === true) return '*required*';
  if (property.assigned === true) return '*assigned*';
  if (value === undefined) return '`none`';
  if (typeof value === 'function') return '*by other properties*';
  const text = code(valueText(kind, value));
  if (defaultFrom === undefined) return text;
  return `${link(defaultFrom.type)} ${code(defaultFrom.name)} (${text})`;
}

function valueText(kind: Kind, value: Value): string {
  if (kind.shape === 'flag') return value === true ? kind.whenTrue : kind.whenFalse;
  if (kind.shape === 'scalar') return quote(kind.print(value as Scalar, undefined));
  if (isList(value) && value.length > 0 && kind.shape === 'list') return `{ ${value.join(' ')} }`;
  if (isTable(value) || isList(value) || isRecords(value)) return 'none';
  return String(value);
}

const recordHeading = (name: string): string => `Records of ${name}`;

/** Whether there is anything to say of the records: some are names and nothing else. */
function hasRecordSection(kind: Kind): kind is RecordsKind {
  return kind.shape === 'records' && Object.keys(kind.properties).length > 0;
}

function recordSections(map: PropertyMap, prefix = ''): string[] {
  return Object.entries(map).flatMap(([name, { kind }]) => {
    if (!hasRecordSection(kind)) return [];
    const place = prefix + name;
    const within = `${place} `;
    return [
      `### ${recordHeading(place)}`,
      propertyTable(kind.properties, within),
      ...recordSections(kind.properties, within),
    ];
  });
}

/** Objects that every system has, with the values that they do not share with a new object. */
function builtIns(type: AnyObjectType): string[] {
  const entries = Object.entries(type.builtIn ?? {});
  if (entries.length === 0) return [];
  const rows = entries.map(([name, own]) => {
    const set = Object.entries(withDefaults(type.properties, own))
      .filter(([property]) => own[property] !== undefined)
      .map(([property, value]) => code(`${property} ${valueText(type.properties[property]!.kind, value)}`));
    return [code(name), set.length === 0 ? 'as a new object' : set.join(', ')];
  });
  return ['## Built in', 'They exist on every system and cannot be deleted.', table(['Name', 'Values'], rows)];
}

/** The properties of other types that name objects of this one. */
function users(type: AnyObjectType): string[] {
  const found = OBJECT_TYPES.flatMap((other) => {
    const isNamed = other.nameKind !== undefined && targetsOf(other.nameKind).includes(type.path);
    const properties = [...referringProperties(other.properties)].filter(([, targets]) => targets.includes(type.path));
    return [
      ...(isNamed ? [`the name of ${link(other.path)}`] : []),
      ...properties.map(([name]) => `${link(other.path)} ${code(name)}`),
    ];
  });
  if (found.length === 0) return [];
  return ['## Used by', `${found.join(', ')}. An object that is in use cannot be deleted.`];
}

function targetsOf({ refersTo = [], within }: ScalarKind): readonly string[] {
  return [...refersTo, ...(within?.types ?? [])];
}

/** Every property that names objects, with the types that these may be of. */
function* referringProperties(map: PropertyMap, prefix = ''): Generator<[string, readonly string[]]> {
  for (const [name, { kind }] of Object.entries(map)) {
    if (kind.shape === 'scalar') yield [prefix + name, targetsOf(kind)];
    else if (kind.shape === 'list') yield [prefix + name, targetsOf(kind.item)];
    else if (kind.shape === 'records') {
      yield [prefix + name, targetsOf(kind.key)];
      yield* referringProperties(kind.properties, `${prefix}${name} … `);
    }
  }
}

const link = (path: string): string =>
  findObjectType(path) === undefined ? code(path) : `[${path}](${pageOfType(path)})`;
