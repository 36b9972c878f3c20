/** Text from elsewhere made safe for a terminal: control characters and escape sequences become `?`. */
export function printable(text: string, keepNewlines = false): string {
  const controls = keepNewlines ? /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g : /[\u0000-\u001f\u007f-\u009f]/g;
  return text.replaceAll(controls, '?');
}
