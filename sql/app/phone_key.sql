-- app.phone_key - the form of a phone number by which leads are found.
set local role leads_owner;

create or replace function app.phone_key(value text, country_code text)
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- The codes of countries in which 0 precedes a number, at home only.
  v_with_0 text :=
    '(20|27|31|32|33|40|41|43|44|46|49|54|55|58|60|61|62|63|64|66|81|82|84|86|90|91|92|93|94|95|98|212|213|234|254|255'
    '|256|353|355|358|359|380|381|385|386|387|389|421|880|886|961|963|964|966|967|971|972|977)';
  -- As keyboards for Chinese and Japanese send them.
  v_text text := lower(translate(phone_key.value, U&'\FF0B\FF10\FF11\FF12\FF13\FF14\FF15\FF16\FF17\FF18\FF19', '+0123456789'));
  v_number text;
  v_digits text;
  v_international text;
  v_code text := phone_key.country_code;
  v_has_0 boolean := v_code ~ ('^' || v_with_0 || '$');
begin
  v_number := regexp_replace(
    v_text, '[ ,;(-]*(?:x|extn?|extension|poste|dw|ramal|[#,;])[ .:=#]*(?:ext=)?[0-9]{1,6} *\)?$', ''
  );
  -- Anything else than one number with its usual signs, perhaps after a word, is found in its own spelling only.
  if v_number !~ U&'^(?:[a-z][a-z .]*[.: ] *)?[+([ ]*[0-9][]0-9 ()./+\00A0\202F\2010-\2015[-]*$' then
    return v_text;
  end if;
  v_digits := regexp_replace(v_number, '[^0-9]', '', 'g');
  if v_number like '%+%' then
    v_international := v_digits;
  elsif v_code = '1' and v_digits like '011%' then
    v_international := substr(v_digits, 4);
  elsif v_code = '61' and v_digits like '0011%' then
    v_international := substr(v_digits, 5);
  elsif v_digits like '00%' then
    v_international := substr(v_digits, 3);
  elsif v_code = '1' then
    v_international := '1' || substring(v_digits from '^1?([2-9][0-9]{9})$');
  elsif v_code = '7' then
    v_international := '7' || substring(v_digits from '^[78]?([0-9]{10})$');
  elsif v_code = '36' and v_digits like '06%' then
    v_international := v_code || substr(v_digits, 3);
  elsif v_code = '370' and v_digits ~ '^[08][0-9]{8}$' then
    v_international := v_code || substr(v_digits, 2);
  elsif v_code = '375' and v_digits ~ '^80[0-9]{9}$' then
    v_international := v_code || substr(v_digits, 3);
  elsif v_digits like v_code || '%' then
    -- The code without a plus, unless the number is so short that it may begin with these digits at home.
    v_international := case when length(v_digits) >= length(v_code) + 9 then v_digits end;
  elsif v_digits like '0%' and v_code not in ('39', '378', '225', '229', '242') then
    v_international := v_code || case when v_has_0 then substr(v_digits, 2) end;
  elsif length(v_digits) >= 9 or (length(v_digits) >= 6 and not v_has_0) then
    v_international := v_code || v_digits;
  end if;
  -- +44 (0)20 is +44 20.
  v_international := regexp_replace(v_international, '^' || v_with_0 || '0', '\1');
  -- E.164, section 6: at most 15 digits. No code begins with 0, and numbers of North America have 11 digits.
  return case
    when v_international ~ '^(1[0-9]{10}|[2-9][0-9]{6,14})$' then '+' || v_international
    else v_digits
  end;
end $$;

comment on function app.phone_key(text, text) is
$$The phone number in E.164, such as +15550100199; only its digits, if it has no country code and is not surely complete.

value: a text with 3 to 20 digits (app.is_phone). Null for null. A text that is not one number, such as 1-800-FLOWERS, is returned in
lower case. country_code: the calling code of numbers without one, 1 to 3 digits; null: not known. International numbers begin
with + or 00, with 011 where country_code is 1, and with 0011 where it is 61. The national prefix and an extension are left out.
Numbering plans: ITU-T E.164, and the list of dialling procedures of the ITU-T (Operational Bulletin 994).$$;

grant execute on function app.phone_key(text, text) to leads_exec, leads_jobs, leads_intake, leads_eraser;
