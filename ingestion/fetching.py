"""Lines to copy that fetch what a provider holds and send it: for a shell, whole, with names in capitals to be filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from ingestion.sources.assistant_seats import TEMPLATE


@dataclass(frozen=True)
class Snippet:
    """One tab: its name, the title above the text, and the text."""

    tab: str
    title: str
    code: str


OPENAI: Final = """python3 - > usage.json <<'END'
import json, os, time, urllib.parse, urllib.request

start = int(time.time()) // 86400 * 86400 - 7 * 86400
query = [("start_time", start), ("bucket_width", "1h"), ("limit", 168)]
query += [("group_by[]", name) for name in ("project_id", "model", "batch", "service_tier")]
page = None
while True:
    asked = urllib.parse.urlencode(query + ([("page", page)] if page else []))
    request = urllib.request.Request(
        "https://api.openai.com/v1/organization/usage/completions?" + asked,
        headers={"Authorization": "Bearer " + os.environ["OPENAI_ADMIN_KEY"]},
    )
    answer = json.load(urllib.request.urlopen(request))
    print(json.dumps(answer))
    page = answer.get("next_page")
    if not page:
        break
END
"""

ANTHROPIC: Final = """python3 - > usage.json <<'END'
import datetime, json, os, urllib.parse, urllib.request

today = datetime.datetime.now(datetime.timezone.utc).date()
start = today - datetime.timedelta(days=6)
query = [("starting_at", f"{start}T00:00:00Z"), ("bucket_width", "1h"), ("limit", 168)]
groups = ("workspace_id", "model", "service_tier", "context_window", "inference_geo")
query += [("group_by[]", name) for name in groups]
page = None
while True:
    asked = urllib.parse.urlencode(query + ([("page", page)] if page else []))
    request = urllib.request.Request(
        "https://api.anthropic.com/v1/organizations/usage_report/messages?" + asked,
        headers={"x-api-key": os.environ["ANTHROPIC_ADMIN_KEY"], "anthropic-version": "2023-06-01"},
    )
    answer = json.load(urllib.request.urlopen(request))
    print(json.dumps(answer))
    page = answer.get("next_page")
    if not page:
        break
END
"""

LANGFUSE: Final = """python3 - > observations.json <<'END'
import base64, datetime, json, os, urllib.parse, urllib.request

start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=7)
query = {"fromStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}", "fields": "core,basic,time,model,usage,metadata"}
keys = os.environ["LANGFUSE_PUBLIC_KEY"] + ":" + os.environ["LANGFUSE_SECRET_KEY"]
while True:
    request = urllib.request.Request(
        os.environ["LANGFUSE_HOST"] + "/api/public/v2/observations?" + urllib.parse.urlencode(query),
        headers={"Authorization": "Basic " + base64.b64encode(keys.encode()).decode()},
    )
    answer = json.load(urllib.request.urlopen(request))
    print(json.dumps(answer))
    cursor = answer.get("meta", {}).get("cursor")
    if not cursor:
        break
    query["cursor"] = cursor
END
"""

OPENROUTER: Final = """curl -sf https://openrouter.ai/api/v1/activity \\
  -H "Authorization: Bearer $OPENROUTER_PROVISIONING_KEY" > activity.json
"""

LITELLM: Final = """psql "$LITELLM_DATABASE_URL" \\
  -c 'copy (select * from "LiteLLM_SpendLogs") to stdout csv header' > spend.csv
"""

SEAT_LINES: Final = (
    "2026-10,OpenAI,ChatGPT Enterprise,Support,,,110,84,,,",
    "2026-10,Anthropic,Claude Team,Research,,,24,21,4,600.00,USD",
)

COPILOT: Final = """gh api --paginate --slurp /orgs/ORG/copilot/billing/seats > copilot-seats-$(date -u +%Y-%m).json
"""

AWS: Final = """aws s3 sync "s3://BUCKET/PREFIX/EXPORT/data/BILLING_PERIOD=$(date -u +%Y-%m)/" cur/
"""

AZURE: Final = """az storage blob download-batch --account-name ACCOUNT --source CONTAINER --pattern 'DIRECTORY/EXPORT/*' \\
  --destination exports
"""

GOOGLE: Final = """bq extract --destination_format PARQUET \\
  'DATASET.gcp_billing_export_resource_v1_ACCOUNT$'$(date -u -d yesterday +%Y%m%d) 'gs://BUCKET/bill-*.parquet'
gcloud storage cp 'gs://BUCKET/bill-*.parquet' .
"""


def seats_template() -> str:
    """Give the table of seats with its columns and two lines as examples, as CSV."""
    return "\n".join((",".join(TEMPLATE), *SEAT_LINES, ""))


def fetched(kind: str, base_url: str, token: str) -> list[Snippet]:
    """Give the lines that fetch from the provider of a kind and send it here; [] for other kinds."""
    made = {
        "openai_usage": (OPENAI, "usage.json", _("The last seven days, with OPENAI_ADMIN_KEY set")),
        "anthropic_usage": (ANTHROPIC, "usage.json", _("The last seven days, with ANTHROPIC_ADMIN_KEY set")),
        "openrouter": (OPENROUTER, "activity.json", _("The last 30 days, with OPENROUTER_PROVISIONING_KEY set")),
        "langfuse": (
            LANGFUSE,
            "observations.json",
            _("The last seven days, with LANGFUSE_HOST, LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY set"),
        ),
        "litellm": (LITELLM, "spend.csv", _("The spend log, with LITELLM_DATABASE_URL set")),
        "assistant_seats": (
            f"cat > seats.csv <<'END'\n{seats_template()}END\n",
            "seats.csv",
            _("A table of seats: fill in your own lines"),
        ),
    }
    folders = {
        "aws_cur2": (AWS, "cur/*", _("The running month of an export: fill in bucket, prefix and export")),
        "azure_cost": (AZURE, "", _("An export to a storage account: fill in the names in capitals")),
        "gcp_billing": (GOOGLE, "bill-*.parquet", _("Yesterday's part of the export: fill in the names in capitals")),
    }
    if kind in made:
        fetch, file, title = made[kind]
        found = [Snippet(_("Shell"), title, fetch + _sent(kind, base_url, token, file))]
        if kind == "assistant_seats":
            name = "copilot-seats-$(date -u +%Y-%m).json"
            copilot = COPILOT + _sent(kind, base_url, token, name)
            found.append(Snippet("GitHub Copilot", _("The seats of an organization: fill in ORG"), copilot))
        return found
    if kind in folders:
        fetch, pattern, title = folders[kind]
        files = f"$(printf ' -F file=@%s' {pattern})" if pattern else "$(find exports -type f -printf ' -F file=@%p')"
        upload = f"curl {base_url}/api/v1/imports -H 'Authorization: Bearer {token}' \\\n  -F source={kind}{files}"
        return [Snippet(_("Shell"), title, fetch + upload)]
    return []


def _sent(kind: str, base_url: str, token: str, file: str) -> str:
    return f"curl {base_url}/api/v1/imports -H 'Authorization: Bearer {token}' \\\n  -F source={kind} -F file=@{file}"
