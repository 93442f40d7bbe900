// `ltm node`: a host that members of pools are on.

import { formatAddress, isUnspecified, parseAddress, parseAddressOrAny } from '../../core/address.ts';
import { checkFit } from '../check-monitor-fit.ts';
import { addressOrAny, pattern, string, toggle } from '../kinds.ts';
import { USE } from '../ltm-kinds.ts';
import { monitorOfPartKind } from '../monitor-rule.ts';
import { type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import { remembered } from '../remembered.ts';

export const ltmNode = objectType({
  path: 'ltm node',
  label: 'Node',
  runBy: 'healthd',
  readBy: ['dataplaned'],
  help: 'A host that members of pools are on. A member needs none: it may say its address itself.',
  example: `
ltm node app-1 {
    address 192.0.2.10
    monitor icmp
}
ltm pool app {
    members {
        app-1:80 { }
    }
}
`,
  naming: 'full-path',
  sync: 'device-group',
  properties: {
    address: addressOrAny({
      required: true,
      immutable: true,
      help: 'The address; when it is left out, the name. any6 stands for one that a name server says, which nothing watches.',
    }),
    'connection-limit': USE['connection-limit'],
    description: string({ help: 'Text for people.' }),
    'dynamic-ratio': USE['dynamic-ratio'],
    logging: toggle({ default: false, help: 'Whether a file tells of its monitors.', inert: true }),
    monitor: pattern(monitorOfPartKind('ltm'), { default: 'default', help: 'What watches it: default, nothing.' }),
    'rate-limit': USE['rate-limit'],
    ratio: USE.ratio,
    session: USE.session,
    state: USE.state,
  },
  assign(name, own) {
    if (own.address !== undefined) return;
    const address = parseAddress(name.slice(name.lastIndexOf('/') + 1));
    if (address !== undefined) own.address = formatAddress(address);
  },
  check(objects, context) {
    checkTwins(objects, context);
    for (const object of objects) checkMonitors(object, context);
  },
});

export type Node = ObjectOf<typeof ltmNode>;

/** Of two nodes with one address nobody could say which one a member is on. */
function checkTwins(objects: readonly Node[], context: CheckContext): void {
  const byAddress = new Map<string, Node>();
  for (const object of objects) {
    const { address } = object.properties;
    if (isUnspecified(parseAddressOrAny(address)!)) continue;
    const twin = byAddress.get(address);
    if (twin === undefined) byAddress.set(address, object);
    else {
      context.error(object, `Node (${object.name}): node (${twin.name}) has address ${address} already.`, {
        property: 'address',
        value: address,
        hint: 'A host is one node: use that one.',
      });
    }
  }
}

const checkMonitors = remembered((object: Node, context) => {
  const { monitor } = object.properties;
  const watched = { what: `Node (${object.name})`, property: 'monitor', port: 0 };
  checkFit('ltm', object, monitor, watched, context, (type, { name }) => {
    if (type !== 'virtual-location') return;
    const text = `Node (${object.name}): monitor ${name} watches pools, no nodes.`;
    const hint = 'Name it as the monitor of the pool that it names itself.';
    context.error(object, text, { property: 'monitor', value: name, hint });
  });
});
