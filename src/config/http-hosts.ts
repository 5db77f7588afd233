/**
 * To whom plain http may be spoken. The key travels with every request, so by default it is nobody but this machine;
 * a host in one's own network may be named in `api.allowHttp`.
 */
import { BlockList, isIP } from 'node:net';

/** Addresses that are not routed on the internet: RFC 1918, 3927, 4193, 4291, 6598. */
const privateAddresses = new BlockList();
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
] as const)
  privateAddresses.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  privateAddresses.addSubnet(network, prefix, 'ipv6');
privateAddresses.addAddress('::1', 'ipv6');

/** Top-level names that the public DNS does not have and will not get: RFC 2606, 6761, 6762, 8375, ICANN's `.internal`. */
const privateEndings = /\.(?:local|localhost|internal|intranet|lan|home|corp|private|test|home\.arpa)$/;

/**
 * True for a host that anybody on the internet may own: an address that is routed there, or a name with a dot whose
 * ending is not reserved for private use. A name without a dot (`litellm`) is looked up in one's own network alone.
 */
export function isPublicHost(host: string): boolean {
  const name = plainHost(host);
  const version = isIP(name);
  if (version !== 0) return !privateAddresses.check(name, version === 4 ? 'ipv4' : 'ipv6');
  return name.includes('.') && !privateEndings.test(name);
}

/** In lower case, without the brackets of an IPv6 address and without the dot at the end of a full name. */
export function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
