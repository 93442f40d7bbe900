// Reads what decides whether traffic gets through a device: reverse path filter, its manager, the firewall.

import { readFile } from 'node:fs/promises';
import { runCommand } from '../net/helper-program.ts';
import { droppingChain } from './firewall.ts';
import { readIptablesSave } from './firewall-iptables.ts';
import { readNftRuleset } from './firewall-nft.ts';
import type { LinkFact } from './host-facts.ts';
import type { BlockedPort, DeviceConditions } from './preflight.ts';

/** What cannot be read is taken as harmless: no warning without a fact. */
export async function readDeviceConditions(link: LinkFact, tunnelPorts: readonly number[]): Promise<DeviceConditions> {
  const [all, own, managedBy, blockedPorts] = await Promise.all([
    readNumber('/proc/sys/net/ipv4/conf/all/rp_filter'),
    readNumber(`/proc/sys/net/ipv4/conf/${link.name}/rp_filter`),
    managerOf(link.ifindex),
    portsBlocked(link.name, tunnelPorts),
  ]);
  return { link, rpFilter: Math.max(all, own), managedBy, blockedPorts };
}

async function readNumber(file: string): Promise<number> {
  return Number(await readFile(file, 'utf8').catch(() => '0'));
}

async function managerOf(ifindex: number): Promise<DeviceConditions['managedBy']> {
  const networkManager = await readFile(`/run/NetworkManager/devices/${ifindex}`, 'utf8').catch(() => '');
  if (/^managed=(true|full)$/m.test(networkManager)) return 'NetworkManager';
  const networkd = await readFile(`/run/systemd/netif/links/${ifindex}`, 'utf8').catch(() => '');
  if (/^ADMIN_STATE=(configured|configuring|pending)$/m.test(networkd)) return 'systemd-networkd';
  return undefined;
}

async function portsBlocked(device: string, ports: readonly number[]): Promise<BlockedPort[]> {
  const [nft, iptables] = await Promise.all([
    runCommand('nft', ['--json', 'list', 'ruleset']),
    runCommand('iptables-save', ['-t', 'filter']),
  ]);
  return ports.flatMap((port) => {
    const packet = { device, port };
    const nftChain = nft.status === 0 ? droppingChain(readNftRuleset(nft.stdout.toString(), packet)) : undefined;
    const iptablesChain =
      iptables.status === 0 ? droppingChain(readIptablesSave(iptables.stdout.toString(), packet)) : undefined;
    // iptables first: where it is a front-end of nft, its rules show up in both, and it is the one to use.
    if (iptablesChain) {
      return [{ port, fix: `iptables -I ${iptablesChain.name} -i ${device} -p udp --dport ${port} -j ACCEPT` }];
    }
    return nftChain
      ? [{ port, fix: `nft insert rule ${nftChain.name} iifname ${device} udp dport ${port} accept` }]
      : [];
  });
}
