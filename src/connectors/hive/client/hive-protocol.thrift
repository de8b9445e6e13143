// What Merganser uses of HiveServer2's protocol, the service TCLIService: these calls, and of their structs the fields
// that are read or written. Names, numbers and types are the protocol's; fields that are left out are skipped.
// `npm run hive-protocol` makes `generated/` of it.

typedef i32 TProtocolVersion
typedef i32 TStatusCode
typedef i32 TOperationState
typedef i32 TOperationType
typedef i32 TFetchOrientation
typedef i32 TGetInfoType

const TProtocolVersion PROTOCOL_V6 = 5
const TProtocolVersion PROTOCOL_V10 = 9

const TStatusCode SUCCESS = 0
const TStatusCode SUCCESS_WITH_INFO = 1

const TOperationState FINISHED = 2
const TOperationState CANCELED = 3
const TOperationState CLOSED = 4
const TOperationState ERROR = 5
const TOperationState TIMEDOUT = 8

const TFetchOrientation FETCH_NEXT = 0
const TGetInfoType CLI_DBMS_VER = 18

struct TStatus {
  1: required TStatusCode statusCode
  3: optional string sqlState
  4: optional i32 errorCode
  5: optional string errorMessage
}

struct THandleIdentifier {
  1: required binary guid
  2: required binary secret
}

struct TSessionHandle {
  1: required THandleIdentifier sessionId
}

struct TOperationHandle {
  1: required THandleIdentifier operationId
  2: required TOperationType operationType
  3: required bool hasResultSet
}

struct TOpenSessionReq {
  1: required TProtocolVersion client_protocol
  2: optional string username
  3: optional string password
  4: optional map<string, string> configuration
}

struct TOpenSessionResp {
  1: required TStatus status
  2: required TProtocolVersion serverProtocolVersion
  3: optional TSessionHandle sessionHandle
}

struct TCloseSessionReq {
  1: required TSessionHandle sessionHandle
}

struct TCloseSessionResp {
  1: required TStatus status
}

struct TGetInfoReq {
  1: required TSessionHandle sessionHandle
  2: required TGetInfoType infoType
}

union TGetInfoValue {
  1: string stringValue
}

struct TGetInfoResp {
  1: required TStatus status
  2: required TGetInfoValue infoValue
}

struct TExecuteStatementReq {
  1: required TSessionHandle sessionHandle
  2: required string statement
  4: optional bool runAsync
}

struct TExecuteStatementResp {
  1: required TStatus status
  2: optional TOperationHandle operationHandle
}

struct TGetOperationStatusReq {
  1: required TOperationHandle operationHandle
}

struct TGetOperationStatusResp {
  1: required TStatus status
  2: optional TOperationState operationState
  3: optional string sqlState
  4: optional i32 errorCode
  5: optional string errorMessage
  6: optional string taskStatus
  9: optional bool hasResultSet
  11: optional i64 numModifiedRows
}

struct TCancelOperationReq {
  1: required TOperationHandle operationHandle
}

struct TCancelOperationResp {
  1: required TStatus status
}

struct TCloseOperationReq {
  1: required TOperationHandle operationHandle
}

struct TCloseOperationResp {
  1: required TStatus status
}

struct TFetchResultsReq {
  1: required TOperationHandle operationHandle
  2: required TFetchOrientation orientation
  3: required i64 maxRows
}

// The rows of a result are read straight from the bytes (`rows.ts`), which is many times faster. Their structs:
//   TRowSet: 3: list<TColumn> columns
//   TColumn, a union: 1 boolVal, 2 byteVal, 3 i16Val, 4 i32Val, 5 i64Val, 6 doubleVal, 7 stringVal, 8 binaryVal,
//   each a struct of 1: list of values, 2: binary nulls (bit i of byte i / 8: row i is null)
struct TFetchResultsResp {
  1: required TStatus status
}

service TCLIService {
  TOpenSessionResp OpenSession(1: TOpenSessionReq req)
  TCloseSessionResp CloseSession(1: TCloseSessionReq req)
  TGetInfoResp GetInfo(1: TGetInfoReq req)
  TExecuteStatementResp ExecuteStatement(1: TExecuteStatementReq req)
  TGetOperationStatusResp GetOperationStatus(1: TGetOperationStatusReq req)
  TCancelOperationResp CancelOperation(1: TCancelOperationReq req)
  TCloseOperationResp CloseOperation(1: TCloseOperationReq req)
  TFetchResultsResp FetchResults(1: TFetchResultsReq req)
}
