-- app.ascii_email - an e-mail address with its domain in ASCII.
set local role leads_owner;

create or replace function app.ascii_email(value text)
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_local text;
  v_domain text;
begin
  -- The length is limited before the work.
  if octet_length(ascii_email.value) = char_length(ascii_email.value) or char_length(ascii_email.value) > 254 then
    return ascii_email.value;
  end if;
  v_local := substring(ascii_email.value from '^([\u0001-\u003F\u0041-\u007F]*)@[^@]*$');
  -- NFKC maps some of these to the Greek letter that ends a word, UTS 46 to the other sigma.
  if v_local is null or ascii_email.value collate "C" ~ '[\u03F2\U0001D400-\U0001D7FF]' then
    return ascii_email.value;
  end if;
  -- For the letters that are accepted below, UTS 46 (without transitional processing) is NFKC, lower
  -- case, and NFC. lower() depends on the locale. U+3002 is the full stop of Chinese and Japanese.
  v_domain := replace(normalize(substr(ascii_email.value, length(v_local) + 2), NFKC), U&'\3002', '.');
  v_domain := normalize(
    translate(
      lower(v_domain collate "C"),
      'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĴĶĹĻĽŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽƠƯǍǏǑǓ'
      'ǕǗǙǛǞǠǢǤǦǨǪǬǮǴǶǷǸǺǼǾȀȂȄȆȈȊȌȎȐȒȔȖȘȚȜȞȠȢȤȦȨȪȬȮȰȲͰͲͶͿΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫϏϘϚϜϞϠϢϤϦϨϪϬϮ'
      'ϷϺϽϾϿЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѶѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼ'
      'ҾӀӁӃӅӇӉӋӍӐӒӔӖӘӚӜӞӠӢӤӦӨӪӬӮӰӲӴӶӸӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖ՘'
      'ḀḂḄḆḈḊḌḎḐḒḔḖḘḚḜḞḠḢḤḦḨḪḬḮḰḲḴḶḸḺḼḾṀṂṄṆṈṊṌṎṐṒṔṖṘṚṜṞṠṢṤṦṨṪṬṮṰṲṴṶṸṺṼṾẀẂẄẆẈẊẌẎẐẒẔẞẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆ'
      'ỈỊỌỎỐỒỔỖỘỚỜỞỠỢỤỦỨỪỬỮỰỲỴỶỸỺỼỾ',
      'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĵķĺļľłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷÿźżžơưǎǐǒǔ'
      'ǖǘǚǜǟǡǣǥǧǩǫǭǯǵƕƿǹǻǽǿȁȃȅȇȉȋȍȏȑȓȕȗșțȝȟƞȣȥȧȩȫȭȯȱȳͱͳͷϳάέήίόύώαβγδεζηθικλμνξοπρστυφχψωϊϋϗϙϛϝϟϡϣϥϧϩϫϭϯ'
      'ϸϻͻͼͽѐёђѓєѕіїјљњћќѝўџабвгдежзийклмнопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѷѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽ'
      'ҿӏӂӄӆӈӊӌӎӑӓӕӗәӛӝӟӡӣӥӧөӫӭӯӱӳӵӷӹӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆէ'
      'ḁḃḅḇḉḋḍḏḑḓḕḗḙḛḝḟḡḣḥḧḩḫḭḯḱḳḵḷḹḻḽḿṁṃṅṇṉṋṍṏṑṓṕṗṙṛṝṟṡṣṥṧṩṫṭṯṱṳṵṷṹṻṽṿẁẃẅẇẉẋẍẏẑẓẕßạảấầẩẫậắằẳẵặẹẻẽếềểễệ'
      'ỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹỻỽỿ'
    ),
    NFC
  );
  -- Letters of the scripts that domains are written in, without other capital letters.
  if
    v_domain collate "C" !~ (
      '^[a-z0-9.\u00B7\u00DF-\u00F6\u00F8-\u012F\u0131-\u017E\u01A1\u01B0\u01CE-\u0233\u0250-\u02AF\u0300-\u0344\u0370-\u03FF'
      '\u0400-\u052F\u0560-\u0588\u0591-\u05F4\u0610-\u06FF\u0900-\u0EFF\u1000-\u109F\u10D0-\u10FF\u1200-\u137F\u1780-\u17B3\u17B6-\u17E9'
      '\u1E00-\u1EFF\u3005-\u3007\u3041-\u30FF\u3105-\u312F\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3-]+$'
    )
  then
    return ascii_email.value;
  end if;
  return v_local || '@' || (
    select string_agg(
      case when octet_length(l.label) = char_length(l.label) then l.label else 'xn--' || app.punycode(l.label) end,
      '.'
      order by l.ordinality
    )
    from string_to_table(v_domain, '.') with ordinality as l (label, ordinality)
  );
end $$;

comment on function app.ascii_email(text) is
  'The address with an internationalized domain as xn-- (UTS 46). Unchanged if it is ASCII, or if this cannot convert it; '
  'app.is_email then refuses it. Null for null.';

grant execute on function app.ascii_email(text) to leads_exec, leads_intake, leads_jobs, leads_eraser;
