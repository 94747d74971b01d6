/** A time as every answer has it: as in dictionaries it ends in `+00:00`, since Python before 3.11 cannot read `Z`. */
export function timeText(time: Date): string {
  return time.toISOString().replace("Z", "+00:00");
}
