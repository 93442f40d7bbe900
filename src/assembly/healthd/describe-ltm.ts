// Nodes, pools and virtual servers of this machine as plain data: objects become what their availability follows from.

import { memberNode, parseVirtualDestination } from '../../config/ltm-kinds.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import type { Properties } from '../../config/value.ts';
import { formatBareAddress, parseAddressOrAny } from '../../core/address.ts';
import { kept } from '../../core/kept.ts';
import type {
  LtmDescription,
  LtmMember,
  LtmNode,
  LtmPool,
  LtmSwitches,
  LtmVirtual,
} from '../../health/ltm-description.ts';
import { addressesOfNodes, ltmMember, type ObjectsOfType, recordsIn, ruleOfPart, textOf } from './describe-watches.ts';

export function describeLtm(objectsOf: ObjectsOfType): LtmDescription {
  const [nodeDefault] = objectsOf('ltm default-node-monitor');
  const defaultRule = textOf(nodeDefault?.properties.rule);
  const nodes = addressesOfNodes(objectsOf);
  return {
    nodes: objectsOf('ltm node').map((node) => describeNode(node, defaultRule)),
    pools: objectsOf('ltm pool').map((pool) => describePool(pool, nodes)),
    virtuals: objectsOf('ltm virtual').flatMap((virtual) => describeVirtual(virtual) ?? []),
  };
}

const describeNode = kept((node: AnyConfigObject, defaultRule: string): LtmNode => {
  const { name, properties } = node;
  return {
    name,
    ...switchesOf(properties),
    address: bareText(textOf(properties.address)),
    isMonitored: ruleOfPart(properties.monitor, defaultRule) !== '',
    connectionLimit: numberOf(properties, 'connection-limit'),
  };
});

function describePool({ name, properties }: AnyConfigObject, nodes: ReadonlyMap<string, string>): LtmPool {
  const rule = textOf(properties.monitor);
  const members = Object.entries(recordsIn(properties.members));
  return {
    name,
    members: members.map(([member, own]) => describeMember(member, own, rule, nodes)),
    minActiveMembers: numberOf(properties, 'min-active-members'),
    minUpMembers: numberOf(properties, 'min-up-members'),
  };
}

function describeMember(
  name: string,
  properties: Properties,
  poolRule: string,
  nodes: ReadonlyMap<string, string>,
): LtmMember {
  const { address, port } = ltmMember(name, properties, nodes);
  return {
    name,
    ...switchesOf(properties),
    node: memberNode(name),
    address: bareText(address),
    port,
    isMonitored: ruleOfPart(properties.monitor, poolRule) !== '',
    connectionLimit: numberOf(properties, 'connection-limit'),
    priorityGroup: numberOf(properties, 'priority-group'),
  };
}

const describeVirtual = kept(({ name, properties }: AnyConfigObject): LtmVirtual | undefined => {
  const destination = parseVirtualDestination(textOf(properties.destination));
  if (destination === undefined) return undefined;
  return {
    name,
    address: formatBareAddress(destination.address),
    port: destination.port,
    isEnabled: properties.enabled !== false,
    pool: textOf(properties.pool) || undefined,
    connectionLimit: numberOf(properties, 'connection-limit'),
    gtmScore: numberOf(properties, 'gtm-score'),
  };
});

const switchesOf = ({ session, state }: Properties): LtmSwitches => ({
  isEnabled: session !== 'user-disabled',
  isForcedOffline: state === 'user-down',
});

function numberOf(properties: Properties, name: string): number {
  const value = properties[name];
  return typeof value === 'number' ? value : 0;
}

function bareText(text: string): string {
  const address = parseAddressOrAny(text);
  return address === undefined ? text : formatBareAddress(address);
}
