-- app.punycode - a label of a domain in Punycode.
set local role leads_owner;

create or replace function app.punycode(label text)
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- The names are those of RFC 3492, section 6.3.
  v_points integer[] := array(
    select ascii(c.character)
    from string_to_table(punycode.label, null) with ordinality as c (character, position)
    order by c.position
  );
  v_output text := regexp_replace(punycode.label, '[^\u0001-\u007F]', '', 'g');
  v_basic integer := length(v_output);
  v_handled integer := v_basic;
  v_n integer := 128;
  v_delta integer := 0;
  v_bias integer := 72;
  v_point integer;
  v_next integer;
  v_q integer;
  v_k integer;
  v_t integer;
begin
  if v_basic > 0 then
    v_output := v_output || '-';
  end if;
  while v_handled < cardinality(v_points) loop
    v_next := (select min(p.point) from unnest(v_points) as p (point) where p.point >= v_n);
    v_delta := v_delta + (v_next - v_n) * (v_handled + 1);
    v_n := v_next;
    foreach v_point in array v_points loop
      if v_point < v_n then
        v_delta := v_delta + 1;
      elsif v_point = v_n then
        v_q := v_delta;
        v_k := 36;
        loop
          v_t := least(greatest(v_k - v_bias, 1), 26);
          exit when v_q < v_t;
          v_output := v_output || substr('abcdefghijklmnopqrstuvwxyz0123456789', v_t + (v_q - v_t) % (36 - v_t) + 1, 1);
          v_q := (v_q - v_t) / (36 - v_t);
          v_k := v_k + 36;
        end loop;
        v_output := v_output || substr('abcdefghijklmnopqrstuvwxyz0123456789', v_q + 1, 1);
        -- The bias is adapted (section 6.1).
        v_handled := v_handled + 1;
        v_delta := v_delta / case when v_handled = v_basic + 1 then 700 else 2 end;
        v_delta := v_delta + v_delta / v_handled;
        v_k := 0;
        while v_delta > 455 loop
          v_delta := v_delta / 35;
          v_k := v_k + 36;
        end loop;
        v_bias := v_k + 36 * v_delta / (v_delta + 38);
        v_delta := 0;
      end if;
    end loop;
    v_delta := v_delta + 1;
    v_n := v_n + 1;
  end loop;
  return v_output;
end $$;

comment on function app.punycode(text) is
  'The label in Punycode (RFC 3492), without the prefix xn--. The label has at most 254 characters.';

grant execute on function app.punycode(text) to leads_exec, leads_intake, leads_jobs, leads_eraser;
