//! The picture for programs.

use serde_json::{json, Value};

use super::{records, Picture};
use crate::boot_stage;
use crate::keys::JsonKey;
use crate::slots::{Content, Image, Signed, SlotState};

impl Picture<'_> {
    /// Regions, slots, which of them boots, and the record log.
    pub(crate) fn json(&self) -> Value {
        let layout = self.board.layout();
        json!({
            "board": self.board.name(),
            "capacity": self.board.capacity(),
            "write_unit": layout.geometry().write_unit(),
            "erased_value": layout.geometry().erased(),
            "strategy": format!("{:?}", layout.strategy()).to_lowercase(),
            "boots": self.boots.map(|(slot, _)| slot.to_string()),
            "boots_why": self.boots.map(|(_, why)| boot_stage::json(why)),
            "regions": self.rows.iter().map(|row| json!({
                "region": row.region.name(),
                "start": row.range.start,
                "end": row.range.end,
                "sectors": row.sectors,
                "written_sectors": row.written_sectors,
            })).collect::<Vec<_>>(),
            "slots": self.slots.iter().map(slot).collect::<Vec<_>>(),
            "records": records::value(&self.records),
        })
    }
}

fn slot(SlotState { slot, content }: &SlotState) -> Value {
    let slot = slot.to_string();
    match content {
        Content::Erased => json!({ "slot": slot, "content": "erased" }),
        Content::NoTrailer(why) => json!({ "slot": slot, "content": "no trailer", "why": why.to_string() }),
        Content::Image(found) => {
            let Image { manifest, manifest_digest, signed, intact } = &**found;
            let (signatures, keys, why) = match signed {
                Signed::Unchecked(keys) => ("unchecked", &keys[..], None),
                Signed::By(keys) => ("valid", &keys[..], None),
                Signed::Refused(why) => ("refused", &[][..], Some(why.to_string())),
            };
            json!({
                "slot": slot,
                "content": "image",
                "version": manifest.version.to_string(),
                "security_counter": manifest.security_counter,
                "image_size": manifest.image_size,
                "image_digest": manifest.image_digest.to_string(),
                "manifest_digest": manifest_digest.to_string(),
                "intact": intact,
                "signatures": signatures,
                "keys": keys.iter().map(|&key| JsonKey::from(key)).collect::<Vec<_>>(),
                "why": why,
            })
        }
    }
}
