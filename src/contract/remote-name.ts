/**
 * A form in which the name that was sent and the name that a server gives back can be compared. QUIRK: quotes and
 * line ends travel as `%22`, `%0D`, `%0A` (WHATWG form data); some servers decode them and some do not, so both
 * sides are decoded here. Some compose Unicode.
 */
export function sameRemoteName(name: string): string {
  return name.replaceAll('%22', '"').replaceAll(/%0D/gi, '\r').replaceAll(/%0A/gi, '\n').normalize('NFC');
}
