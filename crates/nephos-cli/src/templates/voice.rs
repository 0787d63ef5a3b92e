//! Answers a voice assistant.

use nephos::prelude::*;

/// Runs for each request to the skill.
#[nephos::function]
async fn kitchen(request: VoiceRequest) -> Result<VoiceResponse> {
    Ok(match request.request {
        VoiceRequestKind::Launch => VoiceResponse::ask("What shall we cook?", "Name a dish."),
        VoiceRequestKind::Intent { name, slots } => {
            VoiceResponse::tell(format!("{name} with {}", slots.into_values().collect::<Vec<_>>().join(" and ")))
        }
        _ => VoiceResponse::tell("Good-bye."),
    })
}

nephos::main!(kitchen);
