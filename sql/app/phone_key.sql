-- app.phone_key - the form of a phone number by which leads are found.
set local role leads_owner;

create or replace function app.phone_key(value text, country_code text)
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- Without an extension, and without the national prefix in an international number: +44 (0)20.
  v_number text := regexp_replace(
    regexp_replace(lower(phone_key.value collate "C"), '([0-9][ .)/-]*)(?:x|ext|;|,|#).*$', '\1'),
    '^([^0-9]*(?:\+|00)[ (]*[0-9]{1,3}[ )]*)\(0\)', '\1'
  );
  v_digits text := regexp_replace(v_number, '[^0-9]', '', 'g');
  v_international text;
begin
  if v_number ~ '^[^0-9]*\+' then
    v_international := v_digits;
  elsif phone_key.country_code = '1' then
    v_international := case
      when v_digits like '011%' then substr(v_digits, 4)
      when length(v_digits) = 10 then '1' || v_digits
      when length(v_digits) = 11 and v_digits like '1%' then v_digits
    end;
  elsif v_digits like '00%' then
    v_international := substr(v_digits, 3);
  else
    v_international := phone_key.country_code || case
      -- The zero at the beginning is a part of the number: Italy, San Marino, Ivory Coast, Congo.
      when phone_key.country_code in ('39', '378', '225', '242') then v_digits
      when phone_key.country_code = '7' then regexp_replace(v_digits, '^8(?=[0-9]{10}$)', '')
      when phone_key.country_code = '36' then regexp_replace(v_digits, '^06', '')
      else regexp_replace(v_digits, '^0', '')
    end;
  end if;
  -- E.164, section 6: at most 15 digits. No country code begins with 0.
  return case
    when length(v_international) between 7 and 15 and v_international not like '0%' then '+' || v_international
    else v_digits
  end;
end $$;

comment on function app.phone_key(text, text) is
$$The phone number in E.164, such as +15550100199; only its digits, if it has no country code and country_code is null.

value: a number with 3 to 20 digits (app.is_phone). Null for null. country_code: the calling code of numbers without one, 1 to 3
digits; null: not known. International numbers begin with + or 00, or with 011 where country_code is 1. The national prefix
is removed. An extension is not part of the result. Numbering plans: ITU-T E.164 and its annex of dialling procedures.$$;

grant execute on function app.phone_key(text, text) to leads_exec, leads_jobs;
