// The sockets of tunnels whose local address is the kernel's: one for each (address, service), and for each multicast group.

import { formatBareAddress, type IpAddress } from '../../core/address.ts';
import { serviceIsUdp, serviceNumber } from '../../tunnel/service.ts';
import { bareAddress, type Self, type VxlanProfile } from './config-view.ts';
import type { SocketModel, UdpModel } from './model.ts';

/** What one tunnel needs. */
export type SocketWish = Pick<SocketModel, 'service' | 'ttl' | 'device' | 'udp'> & {
  self: Self;
  local: IpAddress;
  /** The multicast group that is listened to as well. */
  group: IpAddress | undefined;
  /** Domain of the self IP. */
  domain: string;
};

/** Adds what a tunnel needs to what others have asked for. */
export function addSockets(sockets: Map<string, SocketModel>, wish: SocketWish): void {
  const { self, local, group, domain, service, ttl, device } = wish;
  const localAddress = bareAddress(self);
  const number = serviceNumber(service);
  const text = serviceIsUdp(service) ? `${number}` : `protocol ${number}`;
  for (const end of group === undefined ? [local] : [local, group]) {
    const groupText = end === group ? formatBareAddress(end) : undefined;
    const key = groupText === undefined ? `${localAddress} ${text}` : `${groupText} ${text} ${domain}`;
    // Tunnels of other profiles may share the socket: what one of them takes, it has to take.
    const known = sockets.get(key)?.udp?.acceptsNoChecksum === true;
    const udp = wish.udp && { ...wish.udp, acceptsNoChecksum: wish.udp.acceptsNoChecksum || known };
    sockets.set(key, {
      key,
      self: self.name,
      localAddress,
      bound: end.words,
      group: groupText === undefined ? undefined : { text: groupText, domain },
      service,
      device,
      ttl,
      udp,
    });
  }
}

/** What tunnels of a profile ask of a UDP socket. */
export function udpModel({ properties }: VxlanProfile, local: IpAddress): UdpModel {
  const [sourcePortMin, sourcePortMax] = properties['source-port-range'].split('-').map(Number);
  const checksum = properties['udp-checksum'];
  return {
    checksum: checksum === 'enabled' || (local.family === 6 && checksum !== 'disabled'),
    acceptsNoChecksum: checksum === 'disabled',
    sourcePortMin: sourcePortMin!,
    sourcePortMax: sourcePortMax!,
  };
}
