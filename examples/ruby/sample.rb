# rosterd's tables from Ruby: sign-in, session, roles, change feed, webhook receiver. DATABASE_URL names the database.
require "json"

# Reads the tables for one tenant.
class Rosterd
  def initialize(url, tenant)
    @tenant = tenant
    if url.start_with?("sqlite://")
      require "sqlite3"
      @sqlite = SQLite3::Database.new(url.delete_prefix("sqlite://"), readonly: true, results_as_hash: true)
    else
      require "pg"
      @postgres = PG.connect(url)
      @postgres.type_map_for_results = PG::BasicTypeMapForResults.new(@postgres)
    end
  end

  def rows(sql, *parameters)
    return @sqlite.execute(sql.gsub(/\$(\d)/, '?\1'), parameters) if @sqlite

    # The wall of a reader: the tenant ends with the transaction, so a pool cannot carry it on.
    @postgres.transaction do |session|
      session.exec_params("SELECT set_config('rosterd.tenant', $1, true)", [@tenant])
      session.exec("SET LOCAL search_path = rosterd")
      session.exec_params(sql, parameters).to_a
    end
  end

  # The user of a login, or the reason of a refusal.
  def sign_in(directory, idp_id)
    row = rows(<<~SQL, @tenant, directory, idp_id).first
      SELECT user_id, may_sign_in, reason, access_epoch FROM sign_in
      WHERE found_by = 'idp_id' AND tenant_id = $1 AND directory_id = $2 AND idp_id = $3
    SQL
    return { allowed: false, reason: "unknown" } unless row

    allowed = [true, 1].include?(row["may_sign_in"])
    { allowed: allowed, reason: row["reason"], user: row["user_id"], epoch: row["access_epoch"] }
  end

  # On every request: is the access that the session was given still the same?
  def session_valid?(user, epoch)
    sql = "SELECT 1 FROM users WHERE tenant_id = $1 AND id = $2 AND status = 'active' AND access_epoch = $3"
    rows(sql, @tenant, user, epoch).any?
  end

  def roles(user)
    sql = "SELECT role_slug FROM user_roles WHERE tenant_id = $1 AND user_id = $2 ORDER BY role_slug"
    rows(sql, @tenant, user).map { |row| row["role_slug"] }
  end

  # The records of the tenant after one, and the number from which to go on.
  def changes(after)
    newest = rows("SELECT seq FROM changes_head").first["seq"]
    sql = "SELECT seq, kind, subject FROM changes WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq"
    value = ->(text) { text.is_a?(String) ? JSON.parse(text) : text }
    { next: newest, records: rows(sql, @tenant, after, newest).map { |row| [row["kind"], value.(row["subject"])] } }
  end
end

# Standard Webhooks 1.0 with Ruby's own libraries. The gem standardwebhooks does the same.
def verified(secret, headers, body)
  id, time = headers.values_at("webhook-id", "webhook-timestamp").map { |value| value&.first.to_s }
  raise ArgumentError, "too old, or ahead" if (Time.now.to_i - Integer(time)).abs > 300

  key = secret.delete_prefix("whsec_").unpack1("m")
  expected = ["#{OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{time}.#{body}")}"].pack("m0")
  signatures = headers["webhook-signature"].first.split.map { |one| one.delete_prefix("v1,") }
  raise ArgumentError, "wrong signature" unless signatures.any? { |one| OpenSSL.secure_compare(one, expected) }

  JSON.parse(body)
end

# Receives webhooks, and believes only signed ones.
def receive(port)
  require "openssl"
  require "webrick"
  quiet = WEBrick::Log.new(File::NULL)
  server = WEBrick::HTTPServer.new(BindAddress: "127.0.0.1", Port: port, Logger: quiet, AccessLog: [])
  server.mount_proc("/") do |request, response|
    record = verified(ENV.fetch("WEBHOOK_SECRET"), request.header, request.body)
    # Store it, or end sessions. The same webhook-id may come again.
    puts JSON.generate([record["type"], record["data"]["subject"]])
    $stdout.flush
    response.status = 204
  rescue ArgumentError, NoMethodError
    response.status = 400
  end
  server.start
end

tenant, verb, *rest = ARGV
if tenant == "receive"
  receive(Integer(verb))
else
  rosterd = Rosterd.new(ENV.fetch("DATABASE_URL"), tenant)
  answer = case verb
           when "sign-in" then rosterd.sign_in(*rest)
           when "session" then rosterd.session_valid?(rest[0], Integer(rest[1]))
           when "roles" then rosterd.roles(rest[0])
           when "changes" then rosterd.changes(Integer(rest[0]))
           end
  puts JSON.generate(answer)
end
