// How are times, sizes and numbers said?

export function count(number, one, several = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : several}`;
}

export function memory(mib) {
  if (!mib) return "";
  return mib >= 1024 ? `${trimmed(mib / 1024)} GiB` : `${mib} MiB`;
}

export function bytes(number) {
  for (const unit of ["B", "KiB", "MiB", "GiB", "TiB"]) {
    if (number < 1024 || unit === "TiB") return `${trimmed(number)} ${unit}`;
    number /= 1024;
  }
}

function trimmed(number) {
  return number.toFixed(number < 10 ? 1 : 0).replace(/\.0$/, "");
}

export function seconds(number) {
  if (number < 10) return `${trimmed(number)} s`;
  if (number < 120) return `${Math.round(number)} s`;
  if (number < 7200) return `${Math.round(number / 60)} min`;
  return `${trimmed(number / 3600)} h`;
}

const two = (number) => String(number).padStart(2, "0");

export function clock(at_s) {
  const at = new Date(at_s * 1000);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export function day(at_s) {
  const at = new Date(at_s * 1000);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

// The time alone when it is of today, else with its day.
export function when(at_s, now = Date.now() / 1000) {
  return day(at_s) === day(now) ? clock(at_s) : `${day(at_s)} ${clock(at_s)}`;
}

const byName = new Intl.Collator("en", { numeric: true });
export const compareNames = byName.compare;
