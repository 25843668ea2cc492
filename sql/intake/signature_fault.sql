-- intake.signature_fault - why a submission is not certainly of its sender.
set local role leads_owner;

create or replace function intake.signature_fault(
  kind text,
  secret bytea,
  headers jsonb,
  payload text,
  content jsonb
)
returns jsonb language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_header text := case signature_fault.kind
    when 'typeform' then 'typeform-signature'
    when 'calendly' then 'calendly-webhook-signature'
    when 'webflow' then 'x-webflow-signature'
  end;
  v_sent text := case
    when signature_fault.kind = 'google_key' then signature_fault.content #>> '{body,google_key}'
    when signature_fault.kind = 'calendly' then substring(signature_fault.headers ->> v_header from 'v1=([0-9a-f]{64})')
    else signature_fault.headers ->> v_header
  end;
  -- Seconds since 1970.
  v_time text := case signature_fault.kind
    when 'calendly' then substring(signature_fault.headers ->> v_header from 't=([0-9]{1,12})(?:,|$)')
    when 'webflow' then substring(signature_fault.headers ->> 'x-webflow-timestamp' from '^[0-9]{1,15}$')
  end;
  v_message text := case signature_fault.kind
    when 'typeform' then signature_fault.payload
    when 'calendly' then v_time || '.' || signature_fault.payload
    when 'webflow' then v_time || ':' || signature_fault.payload
  end;
  v_hash bytea;
  v_expected text;
begin
  v_hash := intake.hmac_sha256(signature_fault.secret, convert_to(v_message, 'UTF8'));
  v_expected := case signature_fault.kind
    when 'google_key' then convert_from(signature_fault.secret, 'UTF8')
    when 'typeform' then 'sha256=' || replace(encode(v_hash, 'base64'), chr(10), '')
    else encode(v_hash, 'hex')
  end;
  -- The hashes, so that the time of the comparison says nothing about the signature.
  if (sha256(convert_to(v_sent, 'UTF8')) = sha256(convert_to(v_expected, 'UTF8'))) is not true then
    return jsonb_build_object(
      'field', coalesce(v_header, 'google_key'), 'code', 'invalid_signature',
      'detail', 'The signature is missing or wrong. Compare the secret of the form with that of the sender.'
    );
  elsif
    v_time is not null
    and abs(extract(epoch from clock_timestamp()) - v_time::numeric / case signature_fault.kind when 'webflow' then 1000 else 1 end) > 300
  then
    return jsonb_build_object(
      'field', v_header, 'code', 'old_signature', 'detail', 'The signature is more than 5 minutes old.'
    );
  end if;
  return null;
end $$;

comment on function intake.signature_fault(text, bytea, jsonb, text, jsonb) is
$$Why a submission is not certainly of its sender, as {field, code, detail}; null: it is.

kind: of intake.preset.signature. headers: by name in lower case. payload: the body as it was sent.
typeform: base64 of HMAC-SHA-256 of the body. calendly: t and v1, hexadecimal HMAC-SHA-256 of "t.body". webflow: hexadecimal
HMAC-SHA-256 of "timestamp:body", with milliseconds. The times may be 5 minutes off. google_key: the secret itself, in the body.$$;

grant execute on function intake.signature_fault(text, bytea, jsonb, text, jsonb) to leads_intake;
