// What is known of a picture, in photographers' words.
import { ago, bytes, count, make, table, terms } from "./dom.js";

const MAP = "https://www.openstreetmap.org/";

export function facts({ metadata, exif, caption_source: source, uploaded_at }) {
	const { width, height, format, size_bytes, datetime } = metadata ?? {};
	const tags = exif ?? {};
	const rows = {
		Uploaded: ago(uploaded_at),
		Taken: datetime && taken(datetime),
		Size: width && `${count(width)} × ${count(height)} px`,
		File: format && `${format.toUpperCase()}, ${bytes(size_bytes)}`,
		Camera: camera(tags),
		Lens: tags.LensModel,
		Exposure: exposure(tags),
		Place: place(tags),
		"Captioned by": source && (source.provider === "human" ? "a person" : source.model ?? source.provider),
	};
	return [make("dl", terms(Object.entries(rows).filter(([, value]) => value))), listed(Object.entries(tags))];
}

function taken(datetime) {
	const date = new Date(`${datetime}Z`); // the camera's own time
	if (Number.isNaN(date.getTime())) return datetime.replace("T", " ");
	return date.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" });
}

function camera({ Make: maker = "", Model: model = "" }) {
	const [brand, name] = [maker, model].map((one) => String(one).trim());
	return name.toLowerCase().startsWith(brand.toLowerCase()) ? name : `${brand} ${name}`.trim();
}

const number = (value) => (Number.isFinite(value) && value > 0 ? value : 0);
const short = (value) => Number(value.toFixed(1));

function exposure(tags) {
	const [time_s, stop, long, full] = [tags.ExposureTime, tags.FNumber, tags.FocalLength, tags.FocalLengthIn35mmFilm].map(number);
	const [iso] = [tags.PhotographicSensitivity ?? tags.ISOSpeedRatings].flat();
	return [
		time_s && `${time_s < 0.3 ? `1/${Math.round(1 / time_s)}` : short(time_s)} s`,
		stop && `f/${short(stop)}`,
		number(iso) && `ISO ${iso}`,
		long && `${short(long)} mm${full && full !== long ? ` (${full} mm equivalent)` : ""}`,
	].filter(Boolean).join(", ");
}

function place({ GPSLatitude: latitude, GPSLatitudeRef: ns, GPSLongitude: longitude, GPSLongitudeRef: ew }) {
	const [lat, lon] = [degrees(latitude, ns === "S"), degrees(longitude, ew === "W")];
	if (lat === null || lon === null) return null;
	const href = `${MAP}?mlat=${lat}&mlon=${lon}#map=14/${lat}/${lon}`;
	return make("a", { href, rel: "noreferrer", target: "_blank" }, `${lat}, ${lon}`);
}

function degrees(parts, negative) {
	if (!Array.isArray(parts) || parts.length !== 3 || !parts.every(Number.isFinite)) return null;
	const [whole, minutes, seconds] = parts;
	return Number(((whole + minutes / 60 + seconds / 3600) * (negative ? -1 : 1)).toFixed(5));
}

function listed(tags) {
	const rows = tags.map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : value]);
	return rows.length ? make("details", make("summary", `EXIF, tags: ${rows.length}`), table(["Tag", "Value"], rows)) : "";
}
