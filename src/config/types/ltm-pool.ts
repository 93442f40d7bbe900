// `ltm pool`: addresses of which each can do the same. Routes have one in place of a single gateway, virtual servers have
// one whose members are watched.

import { parseAddressOrAny, isUnspecified } from '../../core/address.ts';
import { checkFit } from '../check-monitor-fit.ts';
import { address, choice, integer, integerOrWord, pattern, recordsByPattern, string, toggle, yesNo } from '../kinds.ts';
import { USE, memberAddress, memberKind, memberNode, memberPort } from '../ltm-kinds.ts';
import { monitorOfPartKind, monitorRuleKind } from '../monitor-rule.ts';
import { type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import { type ObjectContext, remembered } from '../remembered.ts';
import { type Node, ltmNode } from './ltm-node.ts';
import { POOL } from './ltm-pool-target.ts';

const MAX_16_BITS = 65_535;

const MODES = [
  'dynamic-ratio-member',
  'dynamic-ratio-node',
  'fastest-app-response',
  'fastest-node',
  'least-connections-member',
  'least-connections-node',
  'least-sessions',
  'observed-member',
  'observed-node',
  'predictive-member',
  'predictive-node',
  'ratio-least-connections-member',
  'ratio-least-connections-node',
  'ratio-member',
  'ratio-node',
  'ratio-session',
  'round-robin',
  'weighted-least-connections-member',
  'weighted-least-connections-node',
] as const;

const inertCount = (value: number, help: string) =>
  integer({ min: 0, max: 0xffff_ffff }, { default: value, help, inert: true });

const mark = (max: number, what: string) =>
  integerOrWord(
    { min: 0, max, words: ['mimic', 'pass-through'] },
    { default: 'pass-through', help: what, inert: true },
  );

const count = (help: string) => integer({ min: 0, max: MAX_16_BITS }, { default: 0, help });

export const ltmPool = objectType({
  ...POOL,
  runBy: 'healthd',
  readBy: ['dataplaned'],
  help: 'Addresses of which each can do the same: the gateways of a route, or the servers behind a virtual server.',
  example: `
ltm pool app {
    members {
        192.0.2.20:80 {
            priority-group 10
        }
        192.0.2.21:80 {
            priority-group 5
        }
    }
    min-active-members 1
    monitor http
}
ltm pool gateways {
    members {
        192.0.2.10:0 { }
        192.0.2.11:0 { }
    }
}
`,
  sync: 'device-group',
  properties: {
    'allow-nat': yesNo({ default: true, help: 'Whether NATs may lead to it.', inert: true }),
    'allow-snat': yesNo({ default: true, help: 'Whether sources may be translated towards it.', inert: true }),
    description: string({ help: 'Text for people.' }),
    'gateway-failsafe-device': string({ help: 'The device that goes on standby when the pool is down.', inert: true }),
    'ignore-persisted-weight': yesNo({
      default: false,
      help: 'Whether persistent clients are not counted.',
      inert: true,
    }),
    'ip-tos-to-client': mark(255, 'The TOS of packets to clients.'),
    'ip-tos-to-server': mark(255, 'The TOS of packets to members.'),
    'link-qos-to-client': mark(7, 'The priority of frames to clients.'),
    'link-qos-to-server': mark(7, 'The priority of frames to members.'),
    'load-balancing-mode': choice(MODES, {
      default: 'round-robin',
      help: 'How a member is chosen; routes choose by a hash of the flow.',
      inert: true,
    }),
    members: recordsByPattern(
      memberKind,
      {
        address: address({ help: 'The address; when it is left out, that of its node, or in the name.' }),
        'connection-limit': USE['connection-limit'],
        description: string({ help: 'Text for people.' }),
        'dynamic-ratio': USE['dynamic-ratio'],
        'inherit-profile': toggle({ default: true, help: 'Whether it has the profile of the pool.', inert: true }),
        logging: toggle({ default: false, help: 'Whether a file tells of its monitors.', inert: true }),
        monitor: pattern(monitorOfPartKind('ltm'), {
          default: 'default',
          help: 'What watches it: default, that of the pool.',
        }),
        'priority-group': integer(
          { min: 0, max: MAX_16_BITS },
          {
            default: 0,
            help: 'Members of the highest group are used; those of the next, where min-active-members says so.',
          },
        ),
        'rate-limit': USE['rate-limit'],
        ratio: USE.ratio,
        session: USE.session,
        state: USE.state,
      },
      { default: {}, help: 'The members, each an address with a port; the port of a gateway has no meaning.' },
    ),
    'min-active-members': count(
      'Members available, of the highest priority groups, so that the next group is not used; 0: all groups are.',
    ),
    'min-up-members': count('Members that must be up, where min-up-members-checking is enabled.'),
    'min-up-members-action': choice(['failover', 'reboot', 'restart-all'], {
      default: 'failover',
      help: 'What is done when fewer are up.',
      inert: true,
    }),
    'min-up-members-checking': toggle({ default: false, help: 'Whether min-up-members counts.' }),
    monitor: pattern(monitorRuleKind('ltm'), {
      help: 'What watches the members. Gateways are also watched by ARP and neighbour discovery, which is all that routes look at.',
    }),
    'queue-depth-limit': inertCount(0, 'Connections that wait for a member at most; 0: any number.'),
    'queue-on-connection-limit': toggle({
      default: false,
      help: 'Whether connections wait for a member that has its limit.',
      inert: true,
    }),
    'queue-time-limit': inertCount(0, 'Milliseconds for which they wait; 0: any time.'),
    'reselect-tries': inertCount(0, 'How often another member is chosen for a connection that fails.'),
    'service-down-action': choice(['drop', 'none', 'reselect', 'reset'], {
      default: 'none',
      help: 'What becomes of connections to a member that went down.',
      inert: true,
    }),
    'slow-ramp-time': inertCount(10, 'Seconds for which a member that came up gets fewer connections.'),
  },
  check(objects, context) {
    for (const object of objects) {
      checkPool(object, context);
      checkGoneNodes(object, context);
    }
  },
});

export type Pool = ObjectOf<typeof ltmPool>;
export type PoolMember = Pool['properties']['members'][string];

/** Finds a node by its full path. */
export type FindNode = (name: string) => Node | undefined;

/** The address of a member of a pool: its own, that of its node, or that in its name; undefined where it has none. */
export function addressOfMember(name: string, member: PoolMember, node: FindNode): string | undefined {
  const ofNode = node(memberNode(name))?.properties.address;
  const address = member.address ?? ofNode ?? memberAddress(name);
  return address === undefined || isUnspecified(parseAddressOrAny(address)!) ? undefined : address;
}

/** The addresses of a pool. */
export function poolAddresses({ properties }: Pool, node: FindNode): string[] {
  return Object.entries(properties.members).flatMap(([name, member]) => addressOfMember(name, member, node) ?? []);
}

const checkPool = remembered((object: Pool, context) => {
  const { members, monitor } = object.properties;
  for (const [name, member] of Object.entries(members)) {
    checkAddress(object, name, member, context);
    checkMonitors(object, name, member.monitor === 'default' ? (monitor ?? 'none') : member.monitor, context);
  }
  checkLocations(object, context);
});

function checkAddress(object: Pool, name: string, member: PoolMember, context: ObjectContext): void {
  const node = context.find(ltmNode, memberNode(name));
  const refuse = (text: string, hint: string): void => {
    const details = { property: 'members', value: name, hint };
    context.error(object, `Pool (${object.name}): member ${name} ${text}.`, details);
  };
  if ((member.address ?? node?.properties.address ?? memberAddress(name)) === undefined) {
    const create = `Write address ADDRESS inside its braces, or create the node: create ltm node ${memberNode(name)} address ADDRESS`;
    refuse('has no address', create);
  }
  if (member.address === undefined || node === undefined || node.properties.address === member.address) return;
  refuse(
    `has the address ${member.address}, but its node has ${node.properties.address}`,
    `Leave address out, or name the member by the node that has it.`,
  );
}

function checkMonitors(object: Pool, member: string, rule: string, context: ObjectContext): void {
  const watched = { what: `Pool (${object.name}) member ${member}`, property: 'members', port: memberPort(member) };
  checkFit('ltm', object, rule, watched, context);
}

/** A monitor of type virtual-location watches one pool, as a whole. */
function checkLocations(object: Pool, context: ObjectContext): void {
  const { members, monitor = 'none' } = object.properties;
  const what = `Pool (${object.name})`;
  checkFit('ltm', object, monitor, { what, property: 'monitor' }, context, (type, { name, properties }) => {
    if (type !== 'virtual-location' || properties.pool === object.name) return;
    const { pool } = properties;
    const text = `${what}: monitor ${name} is for ${typeof pool === 'string' ? `pool ${pool}` : 'no pool'}, and without effect here.`;
    const hint = `Give each pool a monitor of its own: create ltm monitor virtual-location NAME pool ${object.name}`;
    context.warn(object, text, { property: 'monitor', value: name, hint });
  });
  for (const [member, { monitor: rule }] of Object.entries(members)) {
    checkFit('ltm', object, rule, { what, property: 'members' }, context, (type, { name }) => {
      if (type !== 'virtual-location') return;
      const text = `${what} member ${member}: monitor ${name} watches pools, no members.`;
      const hint = 'Name it as the monitor of the pool.';
      context.error(object, text, { property: 'members', value: member, hint });
    });
  }
}

/** A node cannot go while a member is on it. */
function checkGoneNodes(object: Pool, context: CheckContext): void {
  const gone = context.gone(ltmNode);
  if (gone.length === 0) return;
  const names = new Set(Object.keys(object.properties.members).map(memberNode));
  for (const node of gone) if (names.has(node.name)) context.inUse(node, object, 'members');
}
