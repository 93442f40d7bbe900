// `sys db`: variables of the whole system, each with a name and a value.
//
// Those that mean something here are always there and their values are checked. Any other is kept and saved, so that
// what was written for a BIG-IP loads, but nothing asks for it.

import { string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';

/** The UDP port of VXLAN profiles that set none. */
export const VXLAN_PORT_VARIABLE = 'iptunnel.vxlan.udpport';

/** Whether replies go back to the MAC that a request came from, where the VLAN or tunnel says `default`. */
export const AUTO_LASTHOP_VARIABLE = 'connection.autolasthop';

type Variable = {
  /** As shipped. */
  readonly value: string;
  readonly expects: string;
  readonly accepts: (value: string) => boolean;
  /** Without effect in this version. */
  readonly inert?: true;
};

const switchedOn = (value: string): boolean => value === 'enable' || value === 'disable';
const isPort = (value: string): boolean => /^[1-9][0-9]{0,4}$/.test(value) && Number(value) <= 65535;

const VARIABLES: Readonly<Record<string, Variable>> = {
  [AUTO_LASTHOP_VARIABLE]: { value: 'enable', expects: 'enable or disable', accepts: switchedOn },
  // Whether self IPs may be link-local ones (RFC 3927), which they may here.
  'config.allow.rfc3927': { value: 'disable', expects: 'enable or disable', accepts: switchedOn, inert: true },
  // Whether tunnels belong to what a device group synchronises.
  'iptunnel.configsync': { value: 'enable', expects: 'enable or disable', accepts: switchedOn },
  [VXLAN_PORT_VARIABLE]: { value: '4789', expects: 'a port from 1 to 65535', accepts: isPort },
};

export const sysDb = objectType({
  path: 'sys db',
  label: 'DB variable',
  help: 'A variable of the whole system.',
  example: `
sys db iptunnel.vxlan.udpport {
    value 8472
}
`,
  naming: 'plain',
  sync: 'local',
  builtIn: Object.fromEntries(Object.entries(VARIABLES).map(([name, { value }]) => [name, { value }])),
  properties: {
    value: string({ required: true, help: 'The value.' }),
  },
  check(objects, context) {
    for (const object of objects) {
      const { value } = object.properties;
      const variable = Object.hasOwn(VARIABLES, object.name) ? VARIABLES[object.name] : undefined;
      if (variable === undefined) {
        context.warn(object, `DB variable (${object.name}): no such variable is known; it is kept, but has no effect.`);
      } else if (!variable.accepts(value)) {
        context.error(object, `DB variable (${object.name}): value ${value} must be ${variable.expects}.`, {
          property: 'value',
          value,
          hint: `As shipped: modify sys db ${object.name} value ${variable.value}`,
        });
      } else if (variable.inert === true && value !== variable.value) {
        context.warn(object, `DB variable (${object.name}): value is kept, but has no effect in this version.`);
      }
    }
  },
});

export type DbVariable = ObjectOf<typeof sysDb>;
